import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { childScript } from './child-script.js'
import { freePort } from './redis-node.js'

/** The directory of a reader who has installed the packages and copies files out of a page. */
export class Reader {
  readonly dir = mkdtempSync(join(tmpdir(), 'crh-reader-'))
  readonly #running: ChildProcess[] = []

  /** @param packages by the name under which the reader has installed them: the folder in our node_modules */
  constructor(packages: Readonly<Record<string, string>>) {
    const modules = join(this.dir, 'node_modules')
    mkdirSync(join(modules, 'connect-redis-hash'), { recursive: true })
    for (const [name, folder] of Object.entries(packages))
      symlinkSync(resolve('node_modules', folder), join(modules, name))
    const source = JSON.stringify(resolve(childScript('src', 'index.ts')))
    writeFileSync(join(modules, 'connect-redis-hash/index.js'), `export * from ${source}\n`)
    writeFileSync(join(modules, 'connect-redis-hash/package.json'), '{ "type": "module", "exports": "./index.js" }')
  }

  write(files: Readonly<Record<string, string>>): void {
    for (const [name, text] of Object.entries(files)) writeFileSync(join(this.dir, name), text)
  }

  /** Runs a file with `node` until it answers requests. */
  async start(file: string, env: Readonly<Record<string, string>>): Promise<Program> {
    const port = await freePort()
    const child = spawn(process.execPath, [file], {
      cwd: this.dir,
      env: { ...process.env, ...env, PORT: String(port) },
    })
    this.#running.push(child)
    const program = new Program(child, `http://127.0.0.1:${port}`)
    const failed = once(child, 'exit').then(() => Promise.reject(new Error(`${file} ended: ${program.log}`)))
    await Promise.race([program.answers(), failed])
    failed.catch(() => undefined)
    return program
  }

  async end(): Promise<void> {
    for (const child of this.#running) {
      if (child.exitCode !== null || child.signalCode !== null) continue
      child.kill('SIGKILL')
      await once(child, 'exit')
    }
    rmSync(this.dir, { recursive: true, force: true })
  }
}

/** A running program that serves HTTP. */
export class Program {
  readonly child: ChildProcess
  readonly url: string
  /** What it has printed. */
  log = ''

  constructor(child: ChildProcess, url: string) {
    this.child = child
    this.url = url
    for (const stream of [child.stdout, child.stderr]) {
      stream?.on('data', (chunk) => {
        this.log += chunk
      })
    }
  }

  async answers(): Promise<void> {
    for (;;) {
      const response = await fetch(this.url).catch(() => undefined)
      if (response !== undefined) return
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
  }

  browser(): Browser {
    return new Browser(this.url)
  }
}

/** Keeps one cookie. */
export class Browser {
  cookie = ''
  readonly #url: string

  constructor(url: string) {
    this.#url = url
  }

  async send(method: 'GET' | 'POST', path: string): Promise<{ status: number; text: string; headers: Headers }> {
    const headers = this.cookie === '' ? {} : { cookie: this.cookie }
    const response = await fetch(`${this.#url}${path}`, { method, headers, redirect: 'manual' })
    const [set] = response.headers.getSetCookie()
    if (set !== undefined) this.cookie = set.split(';')[0] as string
    return { status: response.status, text: await response.text(), headers: response.headers }
  }
}
