import type { TranslationBundle } from '@jupyterlab/translation';

type Value = string | number;

/** The texts as they are: an anywidget has no translations. */
export const plainTranslation: TranslationBundle = {
  __: text,
  _n: plural,
  _p: (_: string, ...rest: [string, ...Value[]]) => text(...rest),
  _np: (_: string, ...rest: [string, string, number, ...Value[]]) => plural(...rest),
  gettext: text,
  ngettext: plural,
  pgettext: (_: string, ...rest: [string, ...Value[]]) => text(...rest),
  npgettext: (_: string, ...rest: [string, string, number, ...Value[]]) => plural(...rest),
  dcnpgettext: (_: string, __: string, ...rest: [string, string, number, ...Value[]]) =>
    plural(...rest)
};

function text(words: string, ...values: Value[]): string {
  return filled(words, values);
}

function plural(one: string, many: string, n: number, ...values: Value[]): string {
  return filled(n === 1 ? one : many, [n, ...values]);
}

/** `%1` is the first value. */
function filled(text: string, values: readonly Value[]): string {
  return text.replace(/%(\d+)/g, (whole, number: string) =>
    String(values[Number(number) - 1] ?? whole)
  );
}
