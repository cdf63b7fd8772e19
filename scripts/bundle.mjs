import { join } from 'node:path'
import { rollup } from 'rollup'

/**
 * What applications call while they start. The code behind it is loaded at the first call: an application pays for code
 * that it has loaded, with time at its start and with longer garbage collections. What requests call is not here, so
 * that none of them waits for a file.
 */
const AT_START = [
  'adminRouter',
  'backchannelLogout',
  'bindClient',
  'bindDevice',
  'connectRedis',
  'requireBoundDevice',
  'requireFreshLogin',
  'rotateOnLogin',
  'saveBeforeResponse',
  'secureSession',
  'sessionRouter',
]

/**
 * Writes ES modules as few CommonJS files, which load faster and take less memory.
 *
 * @param {string} modules directory of the ES modules
 * @param {readonly string[]} entries their paths in it, which the CommonJS files keep
 * @param {string} directory
 */
export async function bundle(modules, entries, directory) {
  const build = await rollup({
    input: Object.fromEntries(entries.map((path) => [path.replace(/\.js$/, ''), join(modules, path)])),
    external: (id) => !/^[./]/.test(id),
    treeshake: { moduleSideEffects: 'no-external' },
    plugins: [loadLate(join(modules, 'index.js')), whereThisIs],
    onwarn({ message }) {
      throw new Error(message)
    },
  })
  await build.write({
    dir: directory,
    format: 'cjs',
    exports: 'named',
    esModule: true,
    interop: 'auto',
    generatedCode: { constBindings: true, arrowFunctions: true, objectShorthand: true },
    manualChunks: { store: [join(modules, 'store.js')] },
    chunkFileNames: 'shared/[name].js',
    hoistTransitiveImports: false,
  })
  await build.close()
}

/**
 * Makes the index load a module when its function is called.
 *
 * @param {string} index
 * @returns {import('rollup').Plugin}
 */
function loadLate(index) {
  return {
    name: 'load-late',
    transform(code, id) {
      if (id !== index) return null
      const missing = new Set(AT_START)
      const late = code.replace(/^export \{ (\w+) \} from '\.\/(.+)';$/gm, (line, name, fileName) => {
        if (!missing.delete(name)) return line
        this.emitFile({ type: 'chunk', id: join(id, '..', fileName), fileName })
        return `export function ${name}(...args) { return require('./${fileName}').${name}(...args) }`
      })
      if (missing.size > 0) throw new Error(`AT_START names what the index does not export: ${[...missing].join(', ')}`)
      return { code: late, map: null }
    },
  }
}

/**
 * CommonJS has no `import.meta.url`. An application that is bundled as an ES module has no `__filename` either.
 *
 * @type {import('rollup').Plugin}
 */
const whereThisIs = {
  name: 'where-this-is',
  resolveImportMeta: (property) =>
    property === 'url'
      ? "require('node:url').pathToFileURL(typeof __filename === 'string' ? __filename : process.cwd() + '/').href"
      : null,
}
