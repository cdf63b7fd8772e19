import { mkdirSync, writeFileSync } from 'node:fs'
import { parse, View } from 'vega'
import { compile } from 'vega-lite'
import type { Results } from '../results.js'
import { CHARTS } from './charts.js'

/** Colours for light and dark pages. The background is transparent. */
const THEMES = {
  light: {
    text: '#1f2328',
    line: '#d1d9e0',
    colors: ['#0969da', '#8250df', '#cf222e', '#bc4c00', '#1a7f37', '#656d76'],
  },
  dark: {
    text: '#e6edf3',
    line: '#3d444d',
    colors: ['#4493f8', '#ab7df8', '#f85149', '#db6d28', '#3fb950', '#9198a1'],
  },
}

/** @returns the names of the charts that the results had data for */
export async function plot(results: Results, directory: URL): Promise<string[]> {
  mkdirSync(directory, { recursive: true })
  const names: string[] = []
  for (const { name, spec } of CHARTS) {
    const chart = spec(results)
    if (chart === undefined) continue
    for (const [theme, { text, line, colors }] of Object.entries(THEMES)) {
      const svg = await render({ width: 520, height: 260, ...chart, config: configOf(text, line, colors) })
      writeFileSync(new URL(`${name}-${theme}.svg`, directory), `${svg}\n`)
    }
    names.push(name)
  }
  return names
}

async function render(spec: object): Promise<string> {
  const compiled = compile({ $schema: 'https://vega.github.io/schema/vega-lite/v6.json', ...spec }).spec
  return new View(parse(compiled), { renderer: 'none' }).toSVG()
}

function configOf(text: string, line: string, colors: readonly string[]): object {
  return {
    background: 'transparent',
    padding: 12,
    font: 'system-ui, -apple-system, "Segoe UI", Helvetica, Arial, sans-serif',
    title: { color: text, fontSize: 15, fontWeight: 600, anchor: 'start', offset: 12 },
    axis: {
      labelColor: text,
      titleColor: text,
      titleFontWeight: 'normal',
      labelFontSize: 12,
      titleFontSize: 12,
      gridColor: line,
      domainColor: line,
      tickColor: line,
    },
    legend: { labelColor: text, labelFontSize: 12 },
    text: { color: text, fontSize: 12 },
    view: { stroke: null },
    range: { category: colors },
  }
}
