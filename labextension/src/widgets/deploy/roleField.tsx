import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import type { DeployRole } from '../../deploy/deployValues';
import type { FieldProblem } from '../../generated';
import { FieldGroup, Problems } from '../ui/field';
import { Icon } from '../ui/icon';

export interface RoleFieldProps {
  role: DeployRole;
  percent: string;
  /** Whether it is the endpoint's first release: it can only be stable. */
  first: boolean;
  problems: readonly FieldProblem[];
  percentProblems: readonly FieldProblem[];
  trans: TranslationBundle;
  change: (role: DeployRole) => void;
  changePercent: (percent: string) => void;
}

/** The clients that see its answers. */
export function RoleField(props: RoleFieldProps): React.ReactElement {
  const { role, percent, first, problems, percentProblems, trans, change, changePercent } = props;
  const group = React.useId();
  const words: Record<DeployRole, string> = {
    stable: trans.__('stable'),
    shadow: trans.__('shadow'),
    canary: trans.__('canary')
  };
  const help: Record<DeployRole, string> = {
    stable: first
      ? trans.__('The first release of an endpoint answers all requests.')
      : trans.__('It replaces the present stable release: all clients get its answers.'),
    shadow: trans.__('It gets copies of requests. Clients still get the answers of stable.'),
    canary: trans.__('It answers a share of the requests; stable answers the others.')
  };
  const percentId = `${group}-percent`;
  return (
    <FieldGroup label={trans.__('Role')} help={help[role]} problems={problems}>
      <div className="nbdeploy-roles">
        <div role="radiogroup" aria-label={trans.__('Role')} className="nbdeploy-segments">
          {(['stable', 'shadow', 'canary'] as const).map(one => {
            const impossible = first && one !== 'stable';
            return (
              <label
                key={one}
                data-checked={role === one}
                title={impossible ? trans.__('Only a later release can be a %1', words[one]) : ''}
              >
                <input
                  type="radio"
                  name={group}
                  checked={role === one}
                  disabled={impossible}
                  onChange={() => {
                    change(one);
                  }}
                />
                <Icon name={one} />
                {words[one]}
              </label>
            );
          })}
        </div>
        {role === 'stable' ? null : (
          <span className="nbdeploy-percent">
            <input
              id={percentId}
              type="text"
              inputMode="decimal"
              className="jp-mod-styled"
              value={percent}
              aria-label={
                role === 'shadow'
                  ? trans.__('Percent of the requests that are copied to it')
                  : trans.__('Percent of the requests that it answers')
              }
              aria-invalid={percentProblems.length > 0}
              aria-describedby={`${percentId}-problem`}
              onChange={event => {
                changePercent(event.target.value);
              }}
            />
            <span aria-hidden="true">%</span>
          </span>
        )}
      </div>
      <Problems id={`${percentId}-problem`} problems={percentProblems} />
    </FieldGroup>
  );
}
