/** Signs the cookies of every program; secureSession names them `sid` without TLS. */
export const SECRET = 'a secret of at least 32 characters, for tests'
