/** Where this package is. */
export const moduleUrl: string = import.meta.url
