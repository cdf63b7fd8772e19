/** User-Agent headers as browsers, apps and tools send them, late 2025 and 2026. */
const chrome = (system: string, version: string, tail = 'Safari/537.36') =>
  `Mozilla/5.0 (${system}) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/${version} ${tail}`
const safari = (system: string, version: string, tail: string) =>
  `Mozilla/5.0 (${system}) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/${version} ${tail}`
const webView = (system: string, tail: string) =>
  `Mozilla/5.0 (${system}) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/${tail}`

const WINDOWS = 'Windows NT 10.0; Win64; x64'
const MAC = 'Macintosh; Intel Mac OS X 10_15_7'
const LINUX = 'X11; Linux x86_64'
const ANDROID = 'Linux; Android 10; K'
const IPHONE = 'iPhone; CPU iPhone OS 18_7 like Mac OS X'
const IPAD = 'iPad; CPU OS 18_7 like Mac OS X'

export const CHROME = chrome(WINDOWS, '143.0.0.0')
export const SAFARI_IPHONE = safari(IPHONE, '26.1', 'Mobile/15E148 Safari/604.1')
export const CURL = 'curl/8.14.1'

/** User-Agents of one client before and after an update of browser or system: they have to count as one. */
export const UPDATES: [name: string, before: string, after: string][] = [
  ['Chrome on Windows', CHROME, chrome(WINDOWS, '144.0.0.0')],
  ['Chrome on macOS', chrome(MAC, '142.0.0.0'), chrome(MAC, '145.0.0.0')],
  [
    'Chrome on ChromeOS',
    chrome('X11; CrOS x86_64 14541.0.0', '142.0.0.0'),
    chrome('X11; CrOS x86_64 16433.41.0', '143.0.0.0'),
  ],
  [
    'Chrome on an Android phone',
    chrome(ANDROID, '142.0.0.0', 'Mobile Safari/537.36'),
    chrome(ANDROID, '143.0.0.0', 'Mobile Safari/537.36'),
  ],
  [
    'Chrome on a foldable that is opened',
    chrome(ANDROID, '143.0.0.0', 'Mobile Safari/537.36'),
    chrome(ANDROID, '143.0.0.0'),
  ],
  [
    'Chrome on an iPad',
    `Mozilla/5.0 (${IPAD}) AppleWebKit/605.1.15 (KHTML, like Gecko) CriOS/142.0.7444.77 Mobile/15E148 Safari/604.1`,
    `Mozilla/5.0 (${IPAD.replace('18_7', '26_1_0')}) AppleWebKit/605.1.15 (KHTML, like Gecko) CriOS/143.0.7499.38 Mobile/15E148 Safari/604.1`,
  ],
  [
    'Edge on Windows',
    chrome(WINDOWS, '142.0.0.0', 'Safari/537.36 Edg/142.0.0.0'),
    chrome(WINDOWS, '143.0.0.0', 'Safari/537.36 Edg/143.0.0.0'),
  ],
  [
    'Opera on Windows',
    chrome(WINDOWS, '142.0.0.0', 'Safari/537.36 OPR/124.0.0.0'),
    chrome(WINDOWS, '143.0.0.0', 'Safari/537.36 OPR/125.0.0.0'),
  ],
  [
    'Samsung Internet',
    `Mozilla/5.0 (${ANDROID}) AppleWebKit/537.36 (KHTML, like Gecko) SamsungBrowser/28.0 Chrome/130.0.0.0 Mobile Safari/537.36`,
    `Mozilla/5.0 (${ANDROID}) AppleWebKit/537.36 (KHTML, like Gecko) SamsungBrowser/29.0 Chrome/136.0.0.0 Mobile Safari/537.36`,
  ],
  [
    'Firefox on Linux',
    `Mozilla/5.0 (${LINUX}; rv:145.0) Gecko/20100101 Firefox/145.0`,
    `Mozilla/5.0 (${LINUX}; rv:146.0) Gecko/20100101 Firefox/146.0`,
  ],
  [
    'Firefox on Android',
    'Mozilla/5.0 (Android 15; Mobile; rv:145.0) Gecko/145.0 Firefox/145.0',
    'Mozilla/5.0 (Android 16; Mobile; rv:146.0) Gecko/146.0 Firefox/146.0',
  ],
  ['Safari on macOS', safari(MAC, '18.6', 'Safari/605.1.15'), safari(MAC, '26.1', 'Safari/605.1.15')],
  [
    'Safari on an iPhone',
    safari(IPHONE.replace('18_7', '18_6_2'), '18.6', 'Mobile/15E148 Safari/604.1'),
    SAFARI_IPHONE,
  ],
  [
    'the web view of Facebook on an iPhone',
    webView(
      IPHONE,
      '15E148 [FBAN/FBIOS;FBAV/532.0.0.47.73;FBBV/812345678;FBDV/iPhone16,2;FBMD/iPhone;FBSN/iOS;FBSV/18.7;FBSS/3;FBCR/;FBID/phone;FBLC/de_DE;FBOP/80]',
    ),
    webView(
      IPHONE,
      '15E148 [FBAN/FBIOS;FBAV/541.0.0.54.71;FBBV/845678901;FBDV/iPhone16,2;FBMD/iPhone;FBSN/iOS;FBSV/18.7.1;FBSS/3;FBCR/;FBID/phone;FBLC/de_DE;FBOP/80]',
    ),
  ],
  [
    'the web view of Instagram on an iPhone',
    webView(
      IPHONE,
      '22G100 Instagram 404.0.0.27.74 (iPhone16,2; iOS 18_7; de_DE; de; scale=3.00; 1290x2796; 815863894)',
    ),
    webView(
      IPHONE,
      '22H20 Instagram 405.1.0.31.72 (iPhone16,2; iOS 18_7_1; de_DE; de; scale=3.00; 1290x2796; 825863894)',
    ),
  ],
  [
    'the web view of an Android app',
    `Mozilla/5.0 (Linux; Android 15; Pixel 9 Build/BP1A.250505.005; wv) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/142.0.7444.102 Mobile Safari/537.36`,
    `Mozilla/5.0 (Linux; Android 16; Pixel 9 Build/BP3A.251105.015; wv) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/143.0.7499.34 Mobile Safari/537.36 [FB_IAB/FB4A;FBAV/541.0.0.46.85;]`,
  ],
  [
    'Googlebot',
    `Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; Googlebot/2.1; +http://www.google.com/bot.html) Chrome/142.0.7444.59 Safari/537.36`,
    `Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; Googlebot/2.1; +http://www.google.com/bot.html) Chrome/143.0.7499.40 Safari/537.36`,
  ],
]

/** User-Agents of two different clients. */
export const DIFFERENT: [name: string, one: string | undefined, other: string | undefined][] = [
  ['Chrome -> curl', CHROME, CURL],
  ['Chrome -> no header', CHROME, undefined],
  ['no header -> Chrome', undefined, CHROME],
  ['Chrome -> python-requests', CHROME, 'python-requests/2.32.5'],
  ['Chrome -> Googlebot', CHROME, 'Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)'],
  ['Chrome -> a header of 5 kB', CHROME, 'a/'.repeat(2500)],
  ['Chrome -> Edge', CHROME, chrome(WINDOWS, '143.0.0.0', 'Safari/537.36 Edg/143.0.0.0')],
  ['Chrome -> Firefox', CHROME, `Mozilla/5.0 (${WINDOWS}; rv:146.0) Gecko/20100101 Firefox/146.0`],
  ['Chrome on Windows -> on macOS', CHROME, chrome(MAC, '143.0.0.0')],
  [
    'Chrome on Linux -> on an Android phone',
    chrome(LINUX, '143.0.0.0'),
    chrome(ANDROID, '143.0.0.0', 'Mobile Safari/537.36'),
  ],
  ['Safari on an iPhone -> on macOS', SAFARI_IPHONE, safari(MAC, '26.1', 'Safari/605.1.15')],
  [
    'Safari on an iPhone -> Chrome on one',
    SAFARI_IPHONE,
    `Mozilla/5.0 (${IPHONE}) AppleWebKit/605.1.15 (KHTML, like Gecko) CriOS/143.0.7499.38 Mobile/15E148 Safari/604.1`,
  ],
  ['curl -> wget', CURL, 'Wget/1.25.0'],
]
