/** The format of names, shares and times: the same as in the panel of a notebook. */
import type { TranslationBundle } from '@jupyterlab/translation';

/** `42 %`, with at most two decimals. */
export function percent(value: number): string {
  return `${String(Number(value.toFixed(2)))} %`;
}

/** A tag, its version cut to eight characters. */
export function short(tag: string): string {
  const [name = '', version] = tag.split(':');
  return version === undefined ? name : `${name}:${version.slice(0, 8)}`;
}

/** The version of a tag, shortened. */
export function version(tag: string): string {
  return (tag.split(':')[1] ?? tag).slice(0, 8);
}

/** The age of a time, in the largest unit. */
export function ago(trans: TranslationBundle, iso: string, now: number = Date.now()): string {
  const seconds = Math.max(0, (now - Date.parse(iso)) / 1000);
  if (seconds >= 86400) return trans.__('%1 d ago', Math.floor(seconds / 86400));
  if (seconds >= 3600) return trans.__('%1 h ago', Math.floor(seconds / 3600));
  if (seconds >= 60) return trans.__('%1 min ago', Math.floor(seconds / 60));
  return trans.__('just now');
}

/** Date and time in the format of the browser's user. */
export function clock(iso: string): string {
  return new Date(iso).toLocaleString(undefined, { dateStyle: 'medium', timeStyle: 'medium' });
}

/** The beginning of a period: the time alone if it is of today. */
export function since(iso: string, now: number = Date.now()): string {
  const begun = new Date(iso);
  const today = begun.toDateString() === new Date(now).toDateString();
  const time = begun.toLocaleTimeString(undefined, { hour: '2-digit', minute: '2-digit' });
  return today ? time : `${begun.toLocaleDateString(undefined, { dateStyle: 'medium' })} ${time}`;
}

/** The time alone, to the millisecond, which distinguishes records. */
export function time(iso: string): string {
  return new Date(iso).toLocaleTimeString(undefined, {
    hour: '2-digit',
    minute: '2-digit',
    second: '2-digit',
    fractionalSecondDigits: 3,
    hourCycle: 'h23'
  });
}

/** Requests a second; null: not known yet. */
export function rate(trans: TranslationBundle, value: number | null | undefined): string {
  if (value === null || value === undefined) return '–';
  return trans.__('%1/s', value >= 100 ? value.toFixed(0) : value.toFixed(1));
}

/** Milliseconds with the digits that count. */
export function milliseconds(value: number | null | undefined): string {
  if (value === null || value === undefined) return '–';
  return `${value >= 10 ? value.toFixed(0) : value.toFixed(1)} ms`;
}

/** Names of roles for people. */
export function roleName(trans: TranslationBundle, role: string): string {
  const names: Record<string, string> = {
    stable: trans.__('stable'),
    canary: trans.__('canary'),
    shadow: trans.__('shadow'),
    idle: trans.__('idle')
  };
  return names[role] ?? role;
}

/** Bytes: `58 bytes`, `3.4 MB`. */
export function size(bytes: number): string {
  for (const [unit, factor, digits] of UNITS) {
    if (bytes >= factor * 0.9995)
      return `${String(Number((bytes / factor).toFixed(digits)))} ${unit}`;
  }
  return bytes === 1 ? '1 byte' : `${String(bytes)} bytes`;
}

const UNITS: readonly [string, number, number][] = [
  ['GB', 1e9, 2],
  ['MB', 1e6, 1],
  ['kB', 1e3, 1]
];

/** Three significant digits, as people read a metric. */
export function threeDigits(value: number): string {
  return String(Number(value.toPrecision(3)));
}
