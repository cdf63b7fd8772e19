// Without the fonts of the theme: the system has some, and the pages come sooner.
export { default } from 'vitepress/theme-without-fonts'

import './style.css'
