/** The fields of a comparison of a notebook's models, and the request that they make. */
import type { CandidatesRequest, KernelReport, LabelledRows } from '../../generated';

/** What a user has typed or chosen; null: what the kernel offers. */
export interface CompareValues {
  readonly models: readonly string[] | null;
  readonly x: string | null;
  readonly y: string | null;
  readonly metric: string;
  readonly constraints: string;
  readonly endpoint: string;
  readonly by: string;
  readonly method: string;
  readonly nativeOnly: boolean;
}

export const emptyComparison: CompareValues = {
  models: null,
  x: null,
  y: null,
  metric: '',
  constraints: '',
  endpoint: '',
  by: '',
  method: '',
  nativeOnly: false
};

/** The values with what the kernel offers in place of what is not typed. */
export interface Filled extends CompareValues {
  readonly models: readonly string[];
  readonly x: string;
  readonly y: string;
}

/** Models that a deploy would not ask about are chosen, and the rows outside the training. */
export function filled(values: CompareValues, report: KernelReport): Filled {
  const { labelled } = report;
  const x = values.x ?? labelled[0]?.x ?? '';
  const known: LabelledRows | undefined = labelled.find(pair => pair.x === x.trim());
  return {
    ...values,
    models:
      values.models ??
      report.models.filter(one => !one.unusual && one.kind !== 'function').map(one => one.variable),
    x,
    y: values.y ?? (known ?? labelled[0])?.y ?? ''
  };
}

/** The request whose models are variables; fields that are empty are left out. */
export function comparisonOf(values: Filled): CandidatesRequest {
  const { metric, constraints, endpoint, by, method, nativeOnly } = values;
  const texts = { metric, endpoint, by, method };
  const given = Object.entries(texts).filter(([, text]) => text.trim() !== '');
  const constraint = separated(constraints);
  return {
    models: [...values.models],
    x: values.x.trim(),
    y: values.y.trim(),
    ...Object.fromEntries(given.map(([name, text]) => [name, text.trim()])),
    ...(constraint.length > 0 && { constraint }),
    ...(nativeOnly && { native_only: true })
  };
}

/** The magic that measures the models as the kernel holds them. */
export function cellOf(request: CandidatesRequest): string {
  const words = ['%deploy_candidates', ...(request.models ?? [])];
  const option = (name: string, value: string | null | undefined): void => {
    if (value) words.push(`--${name}`, quoted(value));
  };
  option('x', request.x);
  option('y', request.y);
  option('metric', request.metric);
  option('by', request.by);
  option('method', request.method);
  option('endpoint', request.endpoint);
  for (const one of request.constraint ?? []) option('constraint', one);
  if (request.native_only) words.push('--native-only');
  return words.join(' ');
}

/** Between two constraints, as Python splits them: not the comma within a subgroup's brackets. */
function separated(text: string): string[] {
  return text
    .split(/[,;\n](?![^[\]]*\])/)
    .map(one => one.trim())
    .filter(Boolean);
}

/** A word of a line that is split like a shell's. */
function quoted(text: string): string {
  return /^[\w.:/-]+$/.test(text) ? text : `'${text.replaceAll("'", `'"'"'`)}'`;
}
