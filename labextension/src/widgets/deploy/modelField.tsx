import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import type { FieldProblem, KernelReport, ModelCandidate } from '../../generated';
import { FieldGroup } from '../ui/field';
import { CellLink } from './findings';

/** The number of models that are shown as a list. */
const SHOWN = 4;

export interface ModelFieldProps {
  report: KernelReport;
  value: string;
  /** The model of the notebook's last deploy. */
  last: string | undefined;
  problems: readonly FieldProblem[];
  trans: TranslationBundle;
  change: (variable: string) => void;
  openCell: (count: number) => void;
}

/** The models of the kernel, best first, or any other expression. */
export function ModelField(props: ModelFieldProps): React.ReactElement {
  const { report, value, last, problems, trans, change, openCell } = props;
  const known = report.models.some(model => model.variable === value);
  const [other, setOther] = React.useState(!known && (value !== '' || !report.models.length));
  const [all, setAll] = React.useState(false);
  const group = React.useId();
  const input = React.useRef<HTMLInputElement>(null);
  const position = report.models.findIndex(model => model.variable === value);
  const shown = all ? report.models : report.models.slice(0, Math.max(SHOWN, position + 1));
  const hidden = report.models.length - shown.length;
  return (
    <FieldGroup label={trans.__('Model')} problems={problems}>
      <div role="radiogroup" aria-label={trans.__('Model')} className="nbdeploy-models">
        {shown.map(model => (
          <div key={model.variable} className="nbdeploy-model">
            <label>
              <input
                type="radio"
                name={group}
                checked={!other && model.variable === value}
                onChange={() => {
                  setOther(false);
                  change(model.variable);
                }}
              />
              <code>{model.variable}</code>
              <span className="nbdeploy-kind">{model.kind}</span>
              {model.framework ? <span className="nbdeploy-faint">{model.framework}</span> : null}
            </label>
            <Why
              model={model}
              selected={!other && model.variable === value}
              openCell={openCell}
              trans={trans}
            />
            {model.variable === last ? (
              <p className="nbdeploy-help">{trans.__('as in the last deploy')}</p>
            ) : null}
          </div>
        ))}
        {hidden > 0 ? (
          <button
            type="button"
            className="nbdeploy-link"
            onClick={() => {
              setAll(true);
            }}
          >
            {trans._n('Show %1 more', 'Show %1 more', hidden)}
          </button>
        ) : null}
        <div className="nbdeploy-model">
          <label>
            <input
              type="radio"
              name={group}
              checked={other}
              onChange={() => {
                setOther(true);
                change('');
                input.current?.focus();
              }}
            />
            <span>{trans.__('Another expression')}</span>
          </label>
          <input
            ref={input}
            type="text"
            className="jp-mod-styled nbdeploy-code"
            hidden={!other}
            aria-label={trans.__('Expression for the model')}
            aria-invalid={problems.length > 0}
            spellCheck={false}
            value={other ? value : ''}
            onChange={event => {
              change(event.target.value);
            }}
          />
        </div>
      </div>
    </FieldGroup>
  );
}

/** The reason for the suggestion; the cell that made the model is a link. */
function Why({
  model,
  selected,
  openCell,
  trans
}: {
  model: ModelCandidate;
  selected: boolean;
  openCell: (count: number) => void;
  trans: TranslationBundle;
}): React.ReactElement | null {
  const { why: reason, cell } = model;
  if (cell === null) {
    return reason ? <p className="nbdeploy-help">{reason}</p> : null;
  }
  const name = `In [${String(cell)}]`;
  const [before = '', after] = reason.split(name);
  return (
    <p className="nbdeploy-help">
      {after === undefined ? `${reason} ` : before}
      <CellLink count={cell} open={openCell} trans={trans} skipped={!selected} />
      {after}
    </p>
  );
}
