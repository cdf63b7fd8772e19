const POLYNOMIAL = 0x1021

const TABLE = Uint16Array.from({ length: 256 }, (_, byte) => {
  let crc = byte << 8
  for (let bit = 0; bit < 8; bit++) crc = crc & 0x8000 ? (crc << 1) ^ POLYNOMIAL : crc << 1
  return crc & 0xffff
})

/** Computes the slot of a key in a Redis Cluster: CRC-16/XMODEM of the key, or of the text in its first braces. */
export function slotOf(key: string): number {
  const from = key.indexOf('{')
  const to = from === -1 ? -1 : key.indexOf('}', from + 1)
  const hashed = to > from + 1 ? key.slice(from + 1, to) : key
  let crc = 0
  for (const byte of Buffer.from(hashed)) crc = ((crc << 8) & 0xffff) ^ (TABLE[(crc >> 8) ^ byte] as number)
  return crc % 16_384
}
