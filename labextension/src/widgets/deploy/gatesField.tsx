import type { TranslationBundle } from '@jupyterlab/translation';
import { closeIcon } from '@jupyterlab/ui-components';
import * as React from 'react';

import { hasGates } from '../../deploy/deployValues';
import type { FieldProblem, NotebookContextView } from '../../generated';
import { FieldGroup, Problems } from '../ui/field';

export interface GatesFieldProps {
  context: NotebookContextView;
  notebooks: readonly string[];
  gates: readonly string[];
  problems: readonly FieldProblem[];
  /** The problem of the gate at an index. */
  problemsOf: (place: number) => readonly FieldProblem[];
  trans: TranslationBundle;
  /** A validation notebook is being written. */
  writing: boolean;
  /** Null: nothing writes one for this kernel. */
  write: (() => void) | null;
  choose: (notebooks: readonly string[]) => void;
  change: (gates: readonly string[]) => void;
}

/** The validation notebooks that the release must pass, and its other gates. */
export function GatesField(props: GatesFieldProps): React.ReactElement {
  const { context, notebooks, gates, problems, problemsOf, trans, choose, change } = props;
  const hasNone = !context.notebooks.length && !hasGates(context);
  const box = React.useRef<HTMLDivElement>(null);
  const added = React.useRef(false);
  React.useEffect(() => {
    if (!added.current) return;
    added.current = false;
    box.current?.querySelector<HTMLInputElement>('li:last-child input')?.focus();
  }, [gates.length]);
  return (
    <FieldGroup
      label={trans.__('Validation')}
      help={wordsOf(context, notebooks, trans)}
      problems={problems}
    >
      <div ref={box} className="nbdeploy-gates">
        {context.notebooks.map(notebook => (
          <label key={notebook.path} title={notebook.path} className="nbdeploy-notebook">
            <input
              type="checkbox"
              checked={notebooks.includes(notebook.path)}
              onChange={event => {
                choose(
                  event.target.checked
                    ? [...notebooks, notebook.path]
                    : notebooks.filter(path => path !== notebook.path)
                );
              }}
            />
            <span>{notebook.title}</span>
            <span className="nbdeploy-faint">
              {[
                notebook.gates.join(' · ') || trans.__('its own checks, no gates'),
                notebook.of ? trans.__('for %1', notebook.of) : ''
              ]
                .filter(Boolean)
                .join(' · ')}
            </span>
          </label>
        ))}
        {gates.length ? (
          <ul>
            {gates.map((gate, place) => (
              <Gate
                key={place}
                gate={gate}
                place={place}
                problems={problemsOf(place)}
                trans={trans}
                change={text => {
                  change(gates.map((one, index) => (index === place ? text : one)));
                }}
                remove={() => {
                  change(gates.filter((_, index) => index !== place));
                }}
              />
            ))}
          </ul>
        ) : null}
        {hasNone && props.write ? (
          <button
            type="button"
            className="jp-Button jp-mod-styled"
            disabled={props.writing}
            onClick={props.write}
          >
            {props.writing
              ? trans.__('Writing the notebook…')
              : trans.__('Write a validation notebook')}
          </button>
        ) : null}
        <button
          type="button"
          className="nbdeploy-link"
          onClick={() => {
            added.current = true;
            change([...gates, '']);
          }}
        >
          {trans.__('Add a gate')}
        </button>
      </div>
    </FieldGroup>
  );
}

function Gate(props: {
  gate: string;
  place: number;
  problems: readonly FieldProblem[];
  trans: TranslationBundle;
  change: (text: string) => void;
  remove: () => void;
}): React.ReactElement {
  const { gate, place, problems, trans, change, remove } = props;
  const id = React.useId();
  return (
    <li>
      <div className="nbdeploy-gate">
        <input
          type="text"
          className="jp-mod-styled nbdeploy-code"
          aria-label={trans.__('Gate %1', place + 1)}
          aria-invalid={problems.length > 0}
          aria-describedby={id}
          placeholder="accuracy >= stable - 0.01"
          spellCheck={false}
          value={gate}
          onChange={event => {
            change(event.target.value);
          }}
        />
        <button
          type="button"
          className="nbdeploy-iconButton"
          aria-label={trans.__('Remove gate %1', place + 1)}
          onClick={remove}
        >
          <closeIcon.react tag="span" elementSize="normal" />
        </button>
      </div>
      <Problems id={id} problems={problems} />
    </li>
  );
}

/** The gates of the release if the field is empty. */
function wordsOf(
  context: NotebookContextView,
  notebooks: readonly string[],
  trans: TranslationBundle
): string {
  const asked = [...context.asked, ...context.gates].join(' · ');
  if (asked && notebooks.length) return trans.__('Instead of the present gates: %1', asked);
  if (asked) return trans.__('Present gates: %1', asked);
  if (context.notebooks.length) {
    return trans.__(
      'A release that fails is not started. Later releases must pass the same gates.'
    );
  }
  return trans.__('This folder has no validation notebook.');
}
