/** A stored choice among models, such as a job's: the server makes its document. */
import * as React from 'react';

import type { CandidatesView, ModelSelection } from '../../generated';
import { useLoaded } from '../ui/hooks';
import { LoadFailure, Waiting } from '../ui/parts';
import { useServices } from '../ui/services';
import { Candidates, type CandidatesProps } from './candidates';

export function ChosenAmong(
  props: { table: ModelSelection } & Omit<CandidatesProps, 'given'>
): React.JSX.Element {
  const { table, ...rest } = props;
  const { trans, view } = useServices();
  const constraints = table.constraints.join(', ');
  const loaded = useLoaded<CandidatesView>(table.at, async signal =>
    view('candidates', { table, constraints }, signal)
  );
  if (loaded.value !== null) return <Candidates given={loaded.value} {...rest} />;
  if (loaded.error !== null) return <LoadFailure loaded={loaded} />;
  return <Waiting words={trans.__('Loading the table …')} />;
}
