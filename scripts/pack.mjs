import { join } from 'node:path'
import { capture, npm } from './run.mjs'

/**
 * Runs `npm pack` on the contents of dist.
 *
 * @param {string} directory the directory for the tarball
 * @returns {Promise<string>} the path of the tarball
 */
export async function pack(directory) {
  const { program, args } = npm()
  // dist was just built; --ignore-scripts keeps npm from building it again.
  const command = [...args, 'pack', '--json', '--ignore-scripts', '--loglevel=error', '--pack-destination', directory]
  const { code, stdout, output } = await capture(program, command)
  if (code !== 0) throw new Error(output)
  const report = JSON.parse(stdout)
  const [packed] = Array.isArray(report) ? report : Object.values(report)
  return join(directory, packed.filename)
}
