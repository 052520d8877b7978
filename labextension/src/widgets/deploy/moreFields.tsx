import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import type { DeployValues } from '../../deploy/deployValues';
import type { FieldProblem, Resources } from '../../generated';
import { CodeInput, Field, FieldGroup } from '../ui/field';
import { ResourceFields } from './resourceFields';

export interface MoreFieldsProps {
  values: DeployValues;
  /** The kernel is R's: a model has no signature of pydantic, and is not translated. */
  ofR: boolean;
  /** The methods of the chosen model; of R, the types of `predict`. */
  methods: readonly string[];
  problemsOf: (field: string) => readonly FieldProblem[];
  /** The resources of a release if the fields are empty. */
  defaults: Resources;
  trans: TranslationBundle;
  change: (values: DeployValues) => void;
  commit: () => void;
}

/** The fields of a request in this section. */
export const MORE_FIELDS = [
  'label',
  'reason',
  'method',
  'signature',
  'training',
  'include',
  'engine',
  'accepted_difference',
  'record',
  'record_sample',
  'redact',
  'secret',
  'strict',
  'isolated',
  'resources'
];

/** The most characters of a release's label. */
const LABEL_CHARACTERS = 60;

/** The less common fields. The section opens if one of them has a problem. */
export function MoreFields(props: MoreFieldsProps): React.ReactElement {
  const { values, ofR, methods, problemsOf, defaults, trans, change, commit } = props;
  const wrong = MORE_FIELDS.some(field => problemsOf(field).length);
  const [open, setOpen] = React.useState(false);
  const text = (
    field: 'method' | 'signature' | 'training',
    label: string,
    help: string,
    placeholder: string,
    suggestions: readonly string[] = []
  ): React.ReactElement => (
    <Field label={label} help={help} problems={problemsOf(field)}>
      {control => (
        <CodeInput
          control={control}
          value={values[field]}
          change={value => {
            change({ ...values, [field]: value });
          }}
          placeholder={placeholder}
          suggestions={suggestions}
          onBlur={commit}
        />
      )}
    </Field>
  );
  const note = (field: 'label' | 'reason', label: string, help: string): React.ReactElement => (
    <Field label={label} help={help} problems={problemsOf(field)}>
      {control => (
        <input
          {...control}
          type="text"
          className="jp-mod-styled"
          {...(field === 'label' && { maxLength: LABEL_CHARACTERS })}
          value={values[field]}
          onChange={event => {
            change({ ...values, [field]: event.target.value });
          }}
        />
      )}
    </Field>
  );
  const amount = (
    field: 'acceptedDifference' | 'sample',
    named: string,
    label: string,
    help: string,
    most?: number
  ): React.ReactElement => (
    <Field label={label} help={help} problems={problemsOf(named)}>
      {control => (
        <input
          {...control}
          type="number"
          className="jp-mod-styled"
          min={0}
          max={most}
          step="any"
          value={values[field]}
          onChange={event => {
            change({ ...values, [field]: event.target.value });
          }}
        />
      )}
    </Field>
  );
  const lines = (
    field: 'include' | 'redact' | 'secret',
    label: string,
    help: string
  ): React.ReactElement => (
    <Field label={label} help={help} problems={problemsOf(field)}>
      {control => (
        <textarea
          {...control}
          className="jp-mod-styled nbdeploy-code"
          rows={2}
          spellCheck={false}
          value={values[field]}
          onChange={event => {
            change({ ...values, [field]: event.target.value });
          }}
        />
      )}
    </Field>
  );
  const choice = (
    field: 'engine' | 'record',
    label: string,
    help: string,
    options: Record<string, string>
  ): React.ReactElement => (
    <Field label={label} help={help} problems={problemsOf(field)}>
      {control => (
        <select
          {...control}
          className="jp-mod-styled"
          value={values[field]}
          onChange={event => {
            change({ ...values, [field]: event.target.value });
          }}
        >
          {Object.entries(options).map(([value, words]) => (
            <option key={value} value={value}>
              {words}
            </option>
          ))}
        </select>
      )}
    </Field>
  );
  const check = (field: 'strict' | 'isolated', label: string): React.ReactElement => (
    <label className="nbdeploy-check">
      <input
        type="checkbox"
        checked={values[field]}
        onChange={event => {
          change({ ...values, [field]: event.target.checked });
        }}
      />
      <span>{label}</span>
    </label>
  );
  return (
    <details
      className="nbdeploy-more"
      open={open || wrong}
      onToggle={event => {
        const more = event.currentTarget;
        // It is at the end of the visible part: opened there, nothing of it would be visible.
        if (more.open && !open) more.scrollIntoView({ block: 'start' });
        setOpen(more.open);
      }}
    >
      <summary>
        {trans.__('More')}{' '}
        <span className="nbdeploy-help">
          {trans.__('label, reason, method, engine, records, secrets, limits')}
        </span>
      </summary>
      {note(
        'label',
        trans.__('Label'),
        trans.__('A name for this release, such as “wider trees”; optional.')
      )}
      {note('reason', trans.__('Reason'), trans.__('Stored in the history of the endpoint.'))}
      {text(
        'method',
        ofR ? trans.__('Type') : trans.__('Method'),
        ofR
          ? trans.__('The ‘type’ of predict. If empty: its default, or the scale of the response.')
          : trans.__('The method that answers. If empty: predict, or the object itself.'),
        methods.find(one => one !== 'predict') ?? (ofR ? 'response' : 'predict_proba'),
        methods
      )}
      {ofR
        ? null
        : text(
            'signature',
            trans.__('Signature'),
            trans.__('An expression for a pydantic model of one instance.'),
            'Customer'
          )}
      {text(
        'training',
        trans.__('Training table'),
        trans.__(
          'The data that the model was fitted on. If empty, nbdeploy finds it in the cells.'
        ),
        'X_train'
      )}
      {lines(
        'include',
        trans.__('Include'),
        trans.__('Files or folders outside the project that the model opens, one per line.')
      )}
      {ofR
        ? null
        : choice(
            'engine',
            trans.__('Engine'),
            trans.__('The program that answers: the model in its own library, or a translation.'),
            {
              native: trans.__('native: the model itself'),
              onnx: trans.__('onnx: a translation, refused unless it is proved equal'),
              auto: trans.__('auto: a translation if it is proved equal')
            }
          )}
      {ofR || values.engine === 'native'
        ? null
        : amount(
            'acceptedDifference',
            'accepted_difference',
            trans.__('Accepted difference'),
            trans.__(
              'The largest difference of a number or a probability that the translation may have. If empty: it answers as the model does. A label never differs.'
            )
          )}
      {choice('record', trans.__('Record'), trans.__('The data that is stored for each request.'), {
        '': trans.__('as the endpoint (new endpoint: full)'),
        full: trans.__('full: inputs, outputs and errors'),
        meta: trans.__('meta: times, sizes and status only'),
        off: trans.__('off: nothing')
      })}
      {amount(
        'sample',
        'record_sample',
        trans.__('Recorded share'),
        trans.__('Percent of the requests that are recorded. If empty: as the endpoint.'),
        100
      )}
      {lines(
        'redact',
        trans.__('Redact'),
        trans.__('Columns whose values are never stored, one per line.')
      )}
      {lines(
        'secret',
        trans.__('Secrets'),
        trans.__(
          'Environment variables of the model, one per line, each with the place of its value: DB_URL=env:PROD_DB, file:/run/secrets/db, keyring:prod-db. Never the value itself.'
        )
      )}
      <FieldGroup
        label={trans.__('Safety')}
        problems={[...problemsOf('strict'), ...problemsOf('isolated')]}
      >
        {check('strict', trans.__('Treat warnings of the checks as errors'))}
        {check('isolated', trans.__('Serve it from an isolated environment, built from the lock'))}
      </FieldGroup>
      <ResourceFields
        values={values.resources}
        defaults={defaults}
        problems={problemsOf('resources')}
        trans={trans}
        change={resources => {
          change({ ...values, resources });
        }}
      />
    </details>
  );
}
