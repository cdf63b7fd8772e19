import { join } from 'node:path'
import ts from 'typescript5.4'
import { root } from '../run.mjs'

/**
 * @typedef {object} Member
 * @property {string} name as a caller writes it: `ttl`, or `get(sid, callback?)`
 * @property {string} doc its doc comment; without one, its type
 * @property {string[]} fields of an event: the names in its payload
 */
/**
 * @typedef {object} Export
 * @property {string} name
 * @property {'function' | 'class' | 'value' | 'type'} kind
 * @property {string} doc its doc comment
 * @property {string[]} signatures of a function: how it is called
 * @property {Member[]} members of an interface, an object type or a class: those that this package declares
 * @property {string[]} literals the texts of a union
 * @property {string} text of a type without members: how it is declared
 */

/**
 * Reads what the package exports, from its source.
 *
 * @returns {Export[]} in the order of src/index.ts
 */
export function readExports() {
  const entry = join(root, 'src', 'index.ts')
  const config = ts.parseJsonConfigFileContent(
    ts.readConfigFile(join(root, 'tsconfig.json'), ts.sys.readFile).config,
    ts.sys,
    root,
  )
  const program = ts.createProgram([entry], config.options)
  const checker = program.getTypeChecker()
  const source = program.getSourceFile(entry)
  const exported = checker.getExportsOfModule(checker.getSymbolAtLocation(source))
  return exported.map((symbol) => describe(checker, checker.getAliasedSymbol(symbol)))
}

function describe(checker, symbol) {
  const type = typeOf(checker, symbol)
  const calls = symbol.flags & ts.SymbolFlags.Function ? type.getCallSignatures() : []
  const described = {
    name: symbol.name,
    kind: kindOf(symbol),
    doc: docOf(checker, symbol),
    signatures: calls.map((call) => `${symbol.name}(${parametersOf(call)})`),
    members: calls.length > 0 ? [] : membersOf(checker, symbol, type),
    literals: literalsOf(type),
  }
  const isOther = described.kind === 'type' && described.members.length + described.literals.length === 0
  return { ...described, text: isOther ? textOf(symbol.declarations[0]) : '' }
}

function kindOf({ flags }) {
  if (flags & ts.SymbolFlags.Class) return 'class'
  if (flags & ts.SymbolFlags.Function) return 'function'
  return flags & ts.SymbolFlags.Variable ? 'value' : 'type'
}

function typeOf(checker, symbol) {
  const isType = symbol.flags & (ts.SymbolFlags.TypeAlias | ts.SymbolFlags.Interface | ts.SymbolFlags.Class)
  return isType ? checker.getDeclaredTypeOfSymbol(symbol) : checker.getTypeOfSymbol(symbol)
}

function literalsOf(type) {
  const parts = type.isUnion() ? type.types : [type]
  return parts.every((part) => part.isStringLiteral()) ? parts.map(({ value }) => value) : []
}

/** The members that src declares, without private ones and without those of another exported options type. */
function membersOf(checker, symbol, type) {
  if (symbol.flags & ts.SymbolFlags.Variable || isTextual(type)) return []
  const found = new Map()
  for (const part of type.isUnion() ? type.types : [type]) {
    for (const member of checker.getPropertiesOfType(part)) {
      const [declaration] = member.declarations ?? []
      if (declaration === undefined || !isOwn(declaration, symbol) || isHidden(declaration, member)) continue
      const doc = docOf(checker, member)
      if (!found.has(member.name) || doc !== '') found.set(member.name, describeMember(checker, member, doc))
    }
  }
  return [...found.values()]
}

function describeMember(checker, member, doc) {
  const isEvent = member.declarations[0].parent.name?.text === 'SessionEvents'
  const payloads = isEvent ? checker.getTypeOfSymbol(member) : undefined
  const properties = (payloads?.isUnion() ? payloads.types : [payloads]).flatMap((type) => type?.getProperties() ?? [])
  const text = doc === '' ? `\`${checker.typeToString(checker.getTypeOfSymbol(member))}\`` : doc
  return { name: nameOf(checker, member), doc: text, fields: [...new Set(properties.map(({ name }) => name))] }
}

/** Private members, the door for the middleware, and the methods of every EventEmitter. */
function isHidden(declaration, { name }) {
  return /^(?:__|#)/.test(name) || /\/(event-store|redis-client)\.ts$/.test(declaration.getSourceFile().fileName)
}

const isTextual = (type) =>
  (type.flags & (ts.TypeFlags.StringLike | ts.TypeFlags.NumberLike | ts.TypeFlags.BooleanLike)) !== 0 ||
  literalsOf(type).length > 0

/** Options that another type declares and documents (those of RedisStore, for `secureSession`) are listed there. */
function isOwn(declaration, { name }) {
  const file = declaration.getSourceFile().fileName
  if (!file.startsWith(join(root, 'src'))) return false
  const parent = declaration.parent.name?.text
  return name === 'RedisStoreOptions' || parent !== 'RedisStoreOptions' || declaration.name.text === 'client'
}

/** A method with its parameters. */
function nameOf(checker, member) {
  const [declaration] = member.declarations
  const name = /^[\w$]+$/.test(member.name) ? member.name : `'${member.name}'`
  if (!ts.isMethodDeclaration(declaration) && !ts.isMethodSignature(declaration)) return name
  const calls = checker.getNonNullableType(checker.getTypeOfSymbol(member)).getCallSignatures()
  // The signature with the most parameters shows all that may be passed.
  const [longest] = calls.toSorted((a, b) => b.parameters.length - a.parameters.length)
  return `${name}(${parametersOf(longest)})`
}

function parametersOf({ parameters }) {
  return parameters
    .map(({ name, valueDeclaration: at }) =>
      at.questionToken || at.initializer ? `${name.replace(/^__\d+$/, 'options')}?` : name,
    )
    .join(', ')
}

/** The comment of a symbol, then its parameters, its result and its errors. */
function docOf(checker, symbol) {
  const text = ts.displayPartsToString(symbol.getDocumentationComment(checker))
  const tags = symbol.getJsDocTags(checker).map(({ name, text: parts }) => [name, ts.displayPartsToString(parts)])
  const sentences = (wanted, sentence) =>
    tags.filter(([name]) => name === wanted).map(([, said]) => sentence(said).replace(/\.?$/, '.'))
  const parameters = sentences('param', (said) => said.replace(/^(\S+)\s+/, '`$1`: ')).join(' ')
  const results = sentences('returns', (said) => `Returns ${said}`)
  const errors = sentences('throws', (said) => `Throws ${said}`)
  return [text, parameters, ...results, ...errors].filter(Boolean).join('\n\n')
}

/** The declaration of a type, as the source has it. */
function textOf(declaration) {
  return declaration
    .getText()
    .replace(/^export /, '')
    .replace(/\s*\n\s*/g, ' ')
}
