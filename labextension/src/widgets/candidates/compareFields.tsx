/** The fields of a comparison of a notebook's models. */
import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import type { FieldProblem, KernelReport } from '../../generated';
import { CodeInput, Field, FieldGroup } from '../ui/field';
import type { CompareValues, Filled } from './compareValues';

interface CompareFieldsProps {
  report: KernelReport;
  values: Filled;
  change: (some: Partial<CompareValues>) => void;
  endpoints: readonly string[];
  problems: readonly FieldProblem[];
  trans: TranslationBundle;
}

type TextField = 'x' | 'y' | 'metric' | 'constraints' | 'endpoint' | 'by' | 'method';

/** The names of fields that the request has in another way. */
const IN_REQUEST: Partial<Record<TextField, string>> = { constraints: 'constraint' };

export function CompareFields(props: CompareFieldsProps): React.JSX.Element {
  const { report, values, change, endpoints, trans } = props;
  const problemsOf = (field: string): FieldProblem[] =>
    props.problems.filter(one => one.field === field || one.field.startsWith(`${field}.`));
  const text = (
    field: TextField,
    label: string,
    help: string,
    { placeholder = '', choices = [] }: { placeholder?: string; choices?: readonly string[] } = {}
  ): React.JSX.Element => (
    <Field label={label} help={help} problems={problemsOf(IN_REQUEST[field] ?? field)}>
      {control => (
        <CodeInput
          control={control}
          value={values[field]}
          change={value => {
            change({ [field]: value });
          }}
          placeholder={placeholder}
          suggestions={choices}
        />
      )}
    </Field>
  );
  const words = report.labelled.find(pair => pair.x === values.x.trim())?.words;
  const unplaced = problemsOf('');
  return (
    <>
      <Models
        report={report}
        chosen={values.models}
        change={models => {
          change({ models });
        }}
        problems={[...problemsOf('models'), ...unplaced]}
        trans={trans}
      />
      {text('x', trans.__('Test rows'), words ?? trans.__('Rows that no model was trained on.'), {
        placeholder: 'X_test',
        choices: report.labelled.map(pair => pair.x)
      })}
      {text('y', trans.__('True answers'), trans.__('One for each of the rows.'), {
        placeholder: 'y_test',
        choices: report.labelled.map(pair => pair.y)
      })}
      {text(
        'metric',
        trans.__('Metric'),
        trans.__(
          'A name of scikit-learn’s, or a function of the notebook. Empty: accuracy for classes, else the mean absolute error.'
        ),
        { placeholder: 'accuracy' }
      )}
      {text(
        'constraints',
        trans.__('Constraints'),
        trans.__('Separated by commas. A row that violates one comes last.'),
        { placeholder: 'latency_p99_ms <= 5, memory_mb <= 300' }
      )}
      {text(
        'endpoint',
        trans.__('Endpoint'),
        trans.__('Its stable release is measured too. Empty: none.'),
        { choices: endpoints }
      )}
      <details className="nbdeploy-more">
        <summary>{trans.__('More')}</summary>
        {text(
          'by',
          trans.__('Subgroups'),
          trans.__('A column of the rows, to score each value of it.')
        )}
        {text('method', trans.__('Method'), trans.__('Empty: predict.'), {
          choices: ['predict', 'predict_proba']
        })}
        <label className="nbdeploy-check">
          <input
            type="checkbox"
            checked={values.nativeOnly}
            onChange={event => {
              change({ nativeOnly: event.target.checked });
            }}
          />
          <span>{trans.__('Do not translate the models to ONNX')}</span>
        </label>
      </details>
    </>
  );
}

/** The models of the kernel, best first, each with a box. */
function Models(props: {
  report: KernelReport;
  chosen: readonly string[];
  change: (models: readonly string[]) => void;
  problems: readonly FieldProblem[];
  trans: TranslationBundle;
}): React.JSX.Element {
  const { report, chosen, change, problems, trans } = props;
  return (
    <FieldGroup label={trans.__('Models')} problems={problems}>
      <div className="nbdeploy-models nbdeploy-mod-many">
        {report.models.map(model => (
          <div key={model.variable} className="nbdeploy-model">
            <label>
              <input
                type="checkbox"
                checked={chosen.includes(model.variable)}
                onChange={event => {
                  const others = chosen.filter(one => one !== model.variable);
                  change(event.target.checked ? [...others, model.variable] : others);
                }}
              />
              <code>{model.variable}</code>
              <span className="nbdeploy-kind">{model.kind}</span>
              {model.framework ? <span className="nbdeploy-faint">{model.framework}</span> : null}
            </label>
            {model.why ? <p className="nbdeploy-help">{model.why}</p> : null}
          </div>
        ))}
      </div>
    </FieldGroup>
  );
}
