/** Bookkeeping field: when the user of the session last logged in, milliseconds since 1970 in base 36. */
export const LOGIN_FIELD = '@login'
