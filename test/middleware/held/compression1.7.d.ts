declare module 'compression1.7' {
  export { default } from 'compression'
}
