/*
 * Where this package is. CommonJS has no `import.meta`: scripts/build.mjs replaces this file there.
 */
// biome-ignore lint/suspicious/noTsIgnore: it is an error only where the compiler writes CommonJS
// @ts-ignore
export const moduleUrl: string = import.meta.url
