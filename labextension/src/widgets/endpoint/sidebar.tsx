/** The Deployments sidebar: the list of endpoints, or the opened one, and the jobs below. */
import { PageConfig } from '@jupyterlab/coreutils';
import * as React from 'react';

import type { EndpointRow } from '../../generated';
import type { Section } from '../../model';
import { type Problem } from '../../transport/problem';
import { clock } from '../../words';
import { LogIn } from '../jobs/logIn';
import { Button, Notice, Waiting } from '../ui/parts';
import { useServices } from '../ui/services';
import { Endpoint } from './endpoint';
import { EndpointList } from './endpointList';
import { HealthBanner } from './healthBanner';

/** The sidebar's state; `endpoints` is null until the server answers. */
export interface SidebarState {
  readonly endpoints: readonly EndpointRow[] | null;
  readonly home: string;
  readonly problem: Problem | null;
  /** False: the server does not answer. */
  readonly connected: boolean;
  /** The time of the last answer; null: never. */
  readonly heard: string | null;
  /** The server requires a new log-in. */
  readonly expired: boolean;
  readonly opened: string | null;
  /** How often a user has opened something. */
  readonly openings: number;
  readonly tab: Section;
}

interface Props {
  readonly state: SidebarState;
  readonly onOpen: (name: string | null) => void;
  readonly onTab: (tab: Section) => void;
  readonly onAgain: () => void;
  /** The content below the list of endpoints. */
  readonly jobs: React.ReactNode;
}

export function Sidebar(props: Props): React.JSX.Element {
  const { state, onOpen, onTab, onAgain, jobs } = props;
  const { trans, endpoint, deploy, compare, findModel } = useServices();
  const [filter, setFilter] = React.useState('');
  const root = React.useRef<HTMLDivElement>(null);
  const { opened } = state;
  const back = (): void => {
    onOpen(null);
    // The list to go back to.
    requestAnimationFrame(() =>
      root.current?.querySelector<HTMLElement>('[role=listbox]')?.focus()
    );
  };
  return (
    <div className="nbd-Deployments" ref={root}>
      <Banner state={state} />
      {state.connected && !state.expired && <HealthBanner />}
      <div className="nbd-Bar">
        {opened === null ? (
          <h2>{trans.__('Deployments')}</h2>
        ) : (
          <nav aria-label={trans.__('Breadcrumb')}>
            <Button
              look="quiet"
              onClick={back}
              title={trans.__('Back to all endpoints')}
              aria-label={trans.__('Back to all endpoints')}
            >
              ‹ {trans.__('All')}
            </Button>
            <span className="nbd-cut" aria-current="page" title={opened}>
              {opened}
            </span>
          </nav>
        )}
        <div className="nbd-Bar-buttons">
          {findModel && opened === null && (
            <Button
              look="quiet"
              onClick={findModel}
              title={trans.__('Search for a model of a table in a file')}
            >
              {trans.__('Find…')}
            </Button>
          )}
          {compare && opened === null && (
            <Button
              look="quiet"
              onClick={compare}
              title={trans.__('Compare models of the current notebook before one is deployed')}
            >
              {trans.__('Compare…')}
            </Button>
          )}
          {deploy && (
            <Button
              look="primary"
              onClick={deploy}
              title={trans.__('Deploy a model of the current notebook')}
            >
              {trans.__('Deploy…')}
            </Button>
          )}
        </div>
      </div>
      <div className="nbd-Body">
        {opened === null ? (
          <>
            {state.problem && state.connected && !state.expired && (
              <Notice problem={state.problem}>
                <Button onClick={onAgain}>{trans.__('Refresh')}</Button>
              </Notice>
            )}
            {state.endpoints === null && !state.problem && state.connected && (
              <Waiting words={trans.__('Loading the endpoints …')} />
            )}
            {state.endpoints !== null && (
              <EndpointList
                endpoints={state.endpoints}
                home={state.home}
                stale={state.problem !== null}
                filter={filter}
                onFilter={setFilter}
                onOpen={onOpen}
              />
            )}
            {jobs}
          </>
        ) : (
          <Endpoint
            key={opened}
            model={endpoint(opened)}
            tab={state.tab}
            openings={state.openings}
            onTab={onTab}
            onGone={back}
          />
        )}
      </div>
    </div>
  );
}

/**
 * At the top: the server does not answer, or requires a new log-in. The last content stays below.
 */
function Banner(props: { state: SidebarState }): React.JSX.Element | null {
  const { connected, expired, heard } = props.state;
  const { trans } = useServices();
  if (expired) {
    return (
      <div className="nbd-Banner" role="alert">
        <span>
          {trans.__(
            'Your session on the Jupyter server has expired. Log in again in another tab: this page then continues. Endpoints keep running meanwhile.'
          )}
        </span>
        <LogIn url={PageConfig.getBaseUrl()} trans={trans} />
      </div>
    );
  }
  if (connected) return null;
  return (
    <div className="nbd-Banner" role="alert">
      {heard
        ? trans.__(
            'The Jupyter server does not answer; the data below is from %1. Endpoints keep running.',
            clock(heard)
          )
        : trans.__('The Jupyter server does not answer. Reconnecting.')}
    </div>
  );
}
