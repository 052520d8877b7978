/** A chart from Python, fitted to its container; its captions are shown as text, which wraps. */
import type { ComparisonView } from './generated';

/** A Vega-Lite specification. */
export type Spec = ComparisonView['charts'][string];

export interface FittedChart {
  readonly title: string;
  /** The caption's lines. */
  readonly caption: readonly string[];
  readonly description: string;
  /** The parts of the drawing, one below the other. */
  readonly specs: readonly Spec[];
}

/** Axis labels and a margin: a facet's width is that of its plot alone. */
const AXIS_PX = 56;

const MOST_COLUMNS = 3;

/** The least width of a facet that has others next to it. */
const FACET_PX = 280;

/** The initial width of JupyterLab's sidebar. */
const NARROW_PX = 320;

export function fitChart(spec: Spec, width: number): FittedChart {
  const { title, description, hconcat, ...rest } = spec;
  const { $schema, config, background } = rest;
  const shared = { $schema, config: fittedConfig(config, width), background };
  const parts = Array.isArray(hconcat)
    ? (hconcat as Spec[]).map(part => ({ ...shared, ...part }))
    : [{ ...rest, ...shared }];
  const words = typeof title === 'object' && title !== null ? (title as Spec) : { text: title };
  return {
    title: linesOf(words.text).join(' '),
    caption: linesOf(words.subtitle),
    description: linesOf(description).join(' '),
    specs: parts.map(part => withWidth(width < NARROW_PX ? withFewTicks(part) : part, width))
  };
}

function withWidth(spec: Spec, width: number): Spec {
  if (typeof spec.spec === 'object' && spec.spec !== null) {
    const columns = Math.min(MOST_COLUMNS, Math.max(1, Math.floor(width / FACET_PX)));
    const plot = Math.floor(width / columns) - AXIS_PX;
    return { ...spec, columns, spec: { ...spec.spec, width: Math.max(80, plot) } };
  }
  if (Array.isArray(spec.vconcat)) {
    const within = { width: Math.max(80, width - AXIS_PX) };
    return { ...spec, vconcat: (spec.vconcat as Spec[]).map(one => ({ ...one, ...within })) };
  }
  return { ...spec, width, autosize: { type: 'fit-x', contains: 'padding' } };
}

/** In a narrow chart three labels of the horizontal axis have room. */
function withFewTicks(spec: Spec): Spec {
  const { layer, encoding, ...rest } = spec;
  const x = (encoding as Spec | undefined)?.x;
  const axis = (x as Spec | undefined)?.axis;
  const few = axis && { ...(axis as Spec), tickCount: 3, labelSeparation: 8 };
  return {
    ...rest,
    ...(Array.isArray(layer) && { layer: (layer as Spec[]).map(withFewTicks) }),
    ...(encoding !== undefined && {
      encoding: few ? { ...(encoding as Spec), x: { ...(x as Spec), axis: few } } : encoding
    })
  };
}

/** In a narrow chart the legend is a list, and axis titles do not compress the plot. */
function fittedConfig(config: unknown, width: number): unknown {
  if (typeof config !== 'object' || config === null) return config;
  const { legend, axisX, axisY, ...rest } = config as Spec;
  // A label above its row is as wide as the plot.
  const labels = { ...(axisY as Spec | undefined), labelLimit: Math.max(80, width - 16) };
  if (width >= NARROW_PX) return { ...rest, legend, axisX, axisY: labels };
  return {
    ...rest,
    axisY: labels,
    legend: { ...(legend as Spec | undefined), columns: 1, labelLimit: width - AXIS_PX },
    axisX: { ...(axisX as Spec | undefined), titleLimit: width - AXIS_PX }
  };
}

function linesOf(words: unknown): string[] {
  if (Array.isArray(words)) return words.map(String);
  return typeof words === 'string' && words !== '' ? [words] : [];
}
