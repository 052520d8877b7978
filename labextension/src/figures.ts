/** Figures of a comparison in words: three significant digits; `whole` has all of them. */
import type { Estimate } from './generated';

/** A figure with its interval as people read it, and with all its digits. */
export interface FigureWords {
  readonly value: string;
  readonly interval: string;
  readonly whole: string;
}

/** Three significant digits; a minus is a minus sign. */
export function digits(value: number): string {
  if (!Number.isFinite(value)) return String(value);
  const text = Math.abs(value) >= 1e6 ? value.toExponential(2) : String(+value.toPrecision(3));
  return text.replace(/^-/, '−').replace('e-', 'e−').replace('e+', 'e');
}

function signed(value: number, text: string): string {
  return value > 0 ? `+${text}` : text;
}

/** A share as a percentage. What is not all is not shown as 100 %, what is not none not as 0 %. */
export function share(value: number): string {
  const percent = value * 100;
  if (percent > 99 && percent < 100) {
    const text = percent.toFixed(2);
    return text === '100.00' ? '> 99.99 %' : `${String(Number(text))} %`;
  }
  return `${digits(percent)} %`;
}

/** A difference of shares in percentage points. */
export function points(value: number): string {
  return signed(value, digits(value * 100));
}

const FORMATS = {
  share: { one: share, unit: '' },
  points: { one: points, unit: ' points' },
  milliseconds: { one: (value: number) => signed(value, digits(value)), unit: ' ms' },
  number: { one: digits, unit: '' },
  signed: { one: (value: number) => signed(value, digits(value)), unit: '' }
};

export type FigureKind = keyof typeof FORMATS;

export function figureWords(figure: Estimate, kind: FigureKind): FigureWords {
  const { one, unit } = FORMATS[kind];
  const { low, high, level } = figure.interval;
  return {
    value: `${one(figure.value)}${unit}`,
    interval: `[${one(low)}, ${one(high)}]`,
    whole: `${String(figure.value)} [${String(low)}, ${String(high)}], ${String(level * 100)} %, n = ${String(figure.n)}`
  };
}

/** The tolerance of a look. */
export interface ToleranceChoice {
  readonly relative: number;
  readonly absolute: number;
}

const MANTISSAS = [1, 2, 5];
const DECADES = [-6, -5, -4, -3, -2, -1];

/** The relative tolerances of the slider: 0.0001 % to 100 %, in steps of 1, 2, 5. */
export const TOLERANCE_STEPS: readonly number[] = [
  ...DECADES.flatMap(decade =>
    MANTISSAS.map(mantissa => Number(`${String(mantissa)}e${String(decade)}`))
  ),
  1
];

/** The slider's position of a tolerance: the nearest step on a logarithmic scale. */
export function toleranceStep(relative: number): number {
  if (relative <= 0) return 0;
  const distances = TOLERANCE_STEPS.map(step => Math.abs(Math.log(step / relative)));
  return distances.indexOf(Math.min(...distances));
}

/** A text of JSON as a number that is not whole, or null: it is something else. */
export function jsonNumber(text: string): number | null {
  const value = text.trim() === '' ? NaN : Number(text);
  return Number.isFinite(value) && !Number.isInteger(value) ? value : null;
}

/** The difference of two numbers, with its share of stable's: "(+0.1, +50 %)"; else empty. */
export function differenceWords(change: { stable: string; candidate: string }): string {
  const [one, other] = [change.stable, change.candidate].map(text =>
    text.trim() === '' ? NaN : Number(text)
  );
  if (one === undefined || other === undefined) return '';
  const gap = other - one;
  if (!Number.isFinite(gap)) return '';
  const part = one === 0 ? '' : `, ${signed(gap / Math.abs(one), share(gap / Math.abs(one)))}`;
  return `(${signed(gap, digits(gap))}${part})`;
}

/** A text of JSON as the fields of an object, or null: it is something else, or it was cut. */
export function jsonFields(text: string): [string, string][] | null {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return null;
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return null;
  return Object.entries(value).map(([name, one]) => [
    name,
    typeof one === 'string' ? one : JSON.stringify(one)
  ]);
}
