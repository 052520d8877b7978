import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import { type ResourceName, RESOURCES, type ResourceValues } from '../../deploy/deployValues';
import type { FieldProblem, Resources } from '../../generated';
import { FieldGroup } from '../ui/field';

/** The release's limits of the machine's resources; an empty field shows the default. */
export function ResourceFields({
  values,
  defaults,
  problems,
  trans,
  change
}: {
  values: ResourceValues;
  defaults: Resources;
  problems: readonly FieldProblem[];
  trans: TranslationBundle;
  change: (values: ResourceValues) => void;
}): React.ReactElement {
  const id = React.useId();
  const labels: Record<ResourceName, string> = {
    workers: trans.__('workers'),
    cpu: trans.__('processors'),
    memory: trans.__('memory'),
    threads: trans.__('threads per worker'),
    gpu: trans.__('GPU'),
    idle_after: trans.__('idle time until its workers stop')
  };
  return (
    <FieldGroup
      label={trans.__('Resources')}
      help={trans.__(
        'Enforced limits, such as 4 workers (1-8: as many as the load needs), 512MB or 30m; ‘any’ means no limit.'
      )}
      problems={problems}
    >
      <div className="nbdeploy-resources">
        {RESOURCES.map(name => (
          <label key={name} htmlFor={`${id}-${name}`}>
            <input
              id={`${id}-${name}`}
              type="text"
              className="jp-mod-styled"
              spellCheck={false}
              autoComplete="off"
              aria-invalid={problems.length > 0}
              placeholder={defaultText(name, defaults, trans)}
              value={values[name]}
              onChange={event => {
                change({ ...values, [name]: event.target.value });
              }}
            />
            <span>{labels[name]}</span>
          </label>
        ))}
      </div>
    </FieldGroup>
  );
}

function defaultText(name: ResourceName, defaults: Resources, trans: TranslationBundle): string {
  const value = defaults[name];
  if (value === null) {
    return name === 'workers' ? '1' : name === 'idle_after' ? trans.__('never') : trans.__('any');
  }
  if (name === 'idle_after') return `${String(value)}s`;
  return name === 'memory' ? `${String(Math.round(Number(value) / 1e6))}MB` : String(value);
}
