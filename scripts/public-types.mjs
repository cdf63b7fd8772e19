import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import ts from 'typescript5.4'

/**
 * Reduces declarations to what the public ones refer to. The compiler declares everything that a module exports, with
 * its comments, for whoever else in the package uses it.
 *
 * @param {readonly string[]} entries declarations of the public modules
 * @returns {Map<string, string>} the text of each declaration file that is left, by path
 */
export function publicTypes(entries) {
  /** @type {Map<string, Module>} */
  const modules = new Map()
  const moduleAt = (/** @type {string} */ path) => {
    if (!modules.has(path)) modules.set(path, readModule(path))
    return /** @type {Module} */ (modules.get(path))
  }
  /** @type {{ path: string, name: string }[]} */
  const needed = entries.flatMap((path) => moduleAt(path).exported.map((name) => ({ path, name })))
  const seen = new Set()
  // A list goes on with what is added while it is walked through.
  for (const { path, name } of needed) {
    if (seen.has(`${path} ${name}`)) continue
    seen.add(`${path} ${name}`)
    const module = moduleAt(path)
    module.used.add(name)
    needed.push({ path, name: AUGMENTATION })
    const from = module.imported.get(name)
    if (from !== undefined) needed.push(from)
    for (const statement of module.declared.get(name) ?? []) needed.push(...referencesIn(statement, path))
  }
  return new Map([...modules].map(([path, module]) => [path, textOf(module)]))
}

/** Stands for what a module adds to others: nobody refers to it, and it counts as soon as the module is there. */
const AUGMENTATION = 'declare global'

/**
 * @typedef {object} Module
 * @property {ts.SourceFile} file
 * @property {string[]} exported names that an entry passes on
 * @property {Map<string, { path: string, name: string }>} imported where names of this package come from
 * @property {Map<string, ts.Statement[]>} declared
 * @property {Set<string>} used
 */

/**
 * @param {string} path
 * @returns {Module}
 */
function readModule(path) {
  const file = ts.createSourceFile(path, readFileSync(path, 'utf8'), ts.ScriptTarget.Latest, true)
  /** @type {Module} */
  const module = { file, exported: [], imported: new Map(), declared: new Map(), used: new Set() }
  for (const statement of file.statements) {
    for (const { name, original } of bindingsOf(statement)) {
      const target = sourceOf(statement, path)
      if (target !== undefined) module.imported.set(name, { path: target, name: original })
      if (ts.isExportDeclaration(statement)) module.exported.push(name)
    }
    for (const name of namesOf(statement)) {
      module.declared.set(name, [...(module.declared.get(name) ?? []), statement])
      if (statement.modifiers?.some(({ kind }) => kind === ts.SyntaxKind.ExportKeyword)) module.exported.push(name)
    }
  }
  return module
}

/** The names that an import or `export … from` brings, and what they are called where they come from. */
function bindingsOf(/** @type {ts.Statement} */ statement) {
  const clause = ts.isImportDeclaration(statement)
    ? statement.importClause?.namedBindings
    : ts.isExportDeclaration(statement) && statement.exportClause
  if (!clause || !(ts.isNamedImports(clause) || ts.isNamedExports(clause))) return []
  return [...clause.elements].map(({ name, propertyName }) => ({
    name: name.text,
    original: (propertyName ?? name).text,
  }))
}

/** @returns {string | undefined} the declarations of a module of this package */
function sourceOf(/** @type {ts.Statement} */ statement, /** @type {string} */ path) {
  const specifier =
    (ts.isImportDeclaration(statement) || ts.isExportDeclaration(statement)) && statement.moduleSpecifier
  return specifier && ts.isStringLiteral(specifier) ? declarationsOf(specifier.text, path) : undefined
}

function declarationsOf(/** @type {string} */ specifier, /** @type {string} */ path) {
  return specifier.startsWith('.') ? join(dirname(path), specifier.replace(/\.js$/, '.d.ts')) : undefined
}

/** What a statement declares. */
function namesOf(/** @type {ts.Statement} */ statement) {
  if (ts.isVariableStatement(statement)) return statement.declarationList.declarations.map(({ name }) => name.getText())
  if (ts.isModuleDeclaration(statement)) return [AUGMENTATION]
  return ts.isDeclarationStatement(statement) && statement.name ? [statement.name.getText()] : []
}

/** Every name in a statement, also that of a property: one too many costs nothing but its place. */
function referencesIn(/** @type {ts.Statement} */ statement, /** @type {string} */ path) {
  /** @type {{ path: string, name: string }[]} */
  const found = []
  const visit = (/** @type {ts.Node} */ node) => {
    if (ts.isIdentifier(node)) found.push({ path, name: node.text })
    if (ts.isImportTypeNode(node)) {
      const target = declarationsOf(node.argument.getText().slice(1, -1), path)
      if (target !== undefined) found.push({ path: target, name: node.qualifier?.getText().split('.')[0] ?? '' })
    }
    ts.forEachChild(node, visit)
  }
  visit(statement)
  return found
}

/** The used part of a module. */
function textOf(/** @type {Module} */ { file, used }) {
  const statements = file.statements.map((statement) => {
    if (ts.isImportDeclaration(statement) || ts.isExportDeclaration(statement)) return narrowed(statement, used)
    const names = namesOf(statement)
    return names.length > 0 && !names.some((name) => used.has(name)) ? '' : statement.getFullText()
  })
  return `${statements.join('').trim()}\n`
}

/** An import without what is not used. */
function narrowed(
  /** @type {ts.ImportDeclaration | ts.ExportDeclaration} */ statement,
  /** @type {Set<string>} */ used,
) {
  const bindings = bindingsOf(statement)
  const text = statement.getFullText()
  if (bindings.length === 0) return text
  const kept = bindings.filter(({ name }) => used.has(name))
  if (kept.length === bindings.length) return text
  if (kept.length === 0) return ''
  const names = kept.map(({ name, original }) => (name === original ? name : `${original} as ${name}`))
  return text.replace(/\{[^}]*\}/, `{ ${names.join(', ')} }`)
}
