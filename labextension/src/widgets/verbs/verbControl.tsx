import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import type { VerbField } from '../../verbFields';
import { type ControlProps, TextInput } from '../ui/field';

export interface VerbControlProps extends ControlProps {
  field: VerbField;
  text: string;
  /** Suggestions, such as the endpoints' names. */
  suggestions: readonly string[];
  change: (text: string) => void;
  trans: TranslationBundle;
}

const INPUT_MODES = { text: 'text', integer: 'numeric', number: 'decimal' } as const;

/** The control of one field of a verb. */
export function VerbControl(props: VerbControlProps): React.ReactElement {
  const { field, text, suggestions, change, trans, ...named } = props;
  const onChange = (event: React.ChangeEvent<HTMLSelectElement | HTMLTextAreaElement>): void => {
    change(event.target.value);
  };
  const common = { ...named, name: field.name, required: field.required };
  switch (field.kind) {
    case 'boolean':
      return (
        <input
          {...named}
          type="checkbox"
          name={field.name}
          className="jp-mod-styled"
          checked={text === 'true'}
          onChange={event => {
            change(String(event.target.checked));
          }}
        />
      );
    case 'choice':
      return (
        <select {...common} className="jp-mod-styled" value={text} onChange={onChange}>
          {field.choices.map(choice => (
            <option key={choice} value={choice}>
              {choice === '' ? trans.__('unchanged') : choice}
            </option>
          ))}
        </select>
      );
    case 'lines':
    case 'shares':
    case 'json':
      return (
        <textarea
          {...common}
          className="jp-mod-styled"
          rows={field.kind === 'json' ? 6 : Math.min(6, text.split('\n').length + 1)}
          placeholder={placeholder(field, trans)}
          spellCheck={false}
          value={text}
          onChange={onChange}
        />
      );
    case 'number':
    case 'integer':
    case 'text':
      return (
        <TextInput
          control={named}
          name={field.name}
          required={field.required}
          inputMode={INPUT_MODES[field.kind]}
          suggestions={suggestions}
          value={text}
          change={change}
        />
      );
  }
}

function placeholder(field: VerbField, trans: TranslationBundle): string {
  switch (field.kind) {
    case 'shares':
      return trans.__('TAG=PERCENT, one per line');
    case 'json':
      return trans.__('JSON');
    default:
      return trans.__('one per line');
  }
}
