/** The deploy of a row: its endpoint and its role. The release keeps the table. */
import * as React from 'react';

import {
  defaultPercent,
  type DeployRole,
  percentProblems,
  requestedPercent
} from '../../deploy/deployValues';
import type {
  CandidateRow,
  DeployRequest,
  EndpointsView,
  FieldProblem,
  ModelSelection
} from '../../generated';
import { type ProblemError, toProblemError } from '../../transport/request';
import { RoleField } from '../deploy/roleField';
import { advice, Field, sentence, TextInput } from '../ui/field';
import { useLoaded } from '../ui/hooks';
import { Modal } from '../ui/modal';
import { Button } from '../ui/parts';
import { useServices } from '../ui/services';

export function DeployCandidate(props: {
  row: CandidateRow;
  table: ModelSelection;
  start: (request: DeployRequest) => Promise<string>;
  onStarted: (job: string) => void;
  onClose: () => void;
}): React.JSX.Element {
  const { row, table, start, onStarted, onClose } = props;
  const { trans, view } = useServices();
  const [name, setName] = React.useState(table.endpoint || (row.tag.split(':')[0] ?? ''));
  const [chosen, setChosen] = React.useState<DeployRole | null>(null);
  const [percent, setPercent] = React.useState<string | null>(null);
  const [sending, setSending] = React.useState(false);
  const [refused, setRefused] = React.useState<ProblemError | null>(null);
  const loaded = useLoaded('endpoints', async signal =>
    view<EndpointsView>('endpoints', {}, signal)
  );
  const names = loaded.value?.endpoints.map(one => one.name) ?? [];
  const first = loaded.value !== null && !names.includes(name.trim());
  const role = first ? 'stable' : (chosen ?? 'shadow');
  const share = percent ?? defaultPercent[role];
  const wrongShare = percentProblems(role, share);
  const problemsOf = (field: string): FieldProblem[] =>
    (refused?.errors ?? [])
      .filter(error => error.loc[0] === field)
      .map(error => ({ field, message: error.msg, remedy: '', finding: null }));
  const submit = async (): Promise<void> => {
    if (sending || wrongShare.length) return;
    setSending(true);
    setRefused(null);
    const request: DeployRequest = { source: row.tag, name: name.trim(), choice: table };
    // The default role is left out, so that a first release is stable also if the list is not known.
    if (!first && role !== 'shadow') request.role = role;
    const requested = requestedPercent(role, share);
    if (requested !== null) request.percent = requested;
    try {
      onStarted(await start(request));
    } catch (error) {
      setRefused(toProblemError(error));
      setSending(false);
    }
  };
  const title = trans.__('Deploy %1', row.label);
  return (
    <Modal label={title} busy={sending} onClose={onClose}>
      <form
        className="nbd-Pending nbdeploy-body"
        noValidate
        onSubmit={event => {
          event.preventDefault();
          void submit();
        }}
      >
        <h3>{title}</h3>
        {row.reasons.map(reason => (
          <p key={reason} className="nbd-CandidateReason">
            ▲ {trans.__('It violates %1', reason)}
          </p>
        ))}
        <Field
          label={trans.__('Endpoint')}
          help={first ? trans.__('A new endpoint.') : trans.__('Its gates apply.')}
          problems={problemsOf('name')}
        >
          {control => (
            <TextInput
              control={control}
              required
              suggestions={names}
              value={name}
              change={setName}
            />
          )}
        </Field>
        <RoleField
          role={role}
          percent={share}
          first={first}
          problems={problemsOf('role')}
          percentProblems={[...wrongShare, ...problemsOf('percent')]}
          trans={trans}
          change={next => {
            setChosen(next);
            setPercent(null);
          }}
          changePercent={setPercent}
        />
        <p className="nbdeploy-help">
          {trans.__(
            'The measured snapshot %1 is deployed as it is. The release keeps this table.',
            row.tag
          )}
        </p>
        {refused && (
          <p role="alert" className="nbdeploy-wrong">
            {sentence(refused.message)} {advice(refused.remedy)}
          </p>
        )}
        <div className="nbd-row nbd-mod-end">
          <Button onClick={onClose}>{trans.__('Cancel')}</Button>
          <Button type="submit" look="primary" aria-disabled={sending}>
            {trans.__('Deploy')}
          </Button>
        </div>
      </form>
    </Modal>
  );
}
