/** The panel in a notebook: one endpoint, with what JupyterLab shows in dialogs and tabs in place. */
import * as React from 'react';

import { copyText } from '../clipboard';
import { SIDEBAR_SECTIONS } from '../commands';
import type { EndpointModel } from '../endpoint';
import { labelsOf, type PublishRequest, type ResultPageView, type Verb } from '../generated';
import type { JobActions } from '../jobActions';
import type { JobsModel } from '../jobs';
import type { Section } from '../model';
import { SHOWN } from '../namedCommands';
import type { ReportOf } from '../report';
import { problemOf } from '../transport/problem';
import type { Transport } from '../transport/transport';
import type { WidgetRequests } from '../transport/widgetRequests';
import { again } from '../verbFields';
import { Endpoint } from '../widgets/endpoint/endpoint';
import { useLoaded } from '../widgets/ui/hooks';
import { Button, Notice, Waiting } from '../widgets/ui/parts';
import { type Services, ServicesProvider } from '../widgets/ui/services';
import { short } from '../words';
import { panelRenderer } from './panelRenderer';
import { plainTranslation as trans } from './plainTranslation';
import { VerbBox, type VerbState } from './verbBox';

export interface PanelProps {
  readonly model: EndpointModel;
  readonly transport: Transport;
  readonly jobs: JobsModel;
  readonly requests: WidgetRequests;
}

interface Report {
  readonly of: ReportOf;
  readonly title: string;
}

export function Panel(props: PanelProps): React.JSX.Element {
  const { model, transport, jobs, requests } = props;
  const [tab, setTab] = React.useState<Section>('releases');
  const [opened, setOpened] = React.useState<VerbState | null>(null);
  const [report, setReport] = React.useState<Report | null>(null);
  const [said, setSaid] = React.useState('');
  const focus = useFocusBack();
  const renderer = React.useMemo(() => panelRenderer(requests.view), [requests]);
  const services = React.useMemo<Services>(
    () => ({
      trans,
      renderer,
      view: requests.view,
      call: requests.call,
      job: requests.job,
      fields: requests.fields,
      endpoint: () => model,
      deploy: null,
      compare: null,
      findModel: null,
      publish: (name, release) => {
        focus.keep();
        setOpened({ verb: 'publish', texts: { name, release } });
      },
      runVerb: command => {
        const section = SHOWN.includes(command.verb) ? SIDEBAR_SECTIONS[command.verb] : null;
        if (section) {
          setTab(section);
          return;
        }
        focus.keep();
        setOpened({ ...command, texts: {} });
      },
      openTab: null,
      linkTo: null,
      openReport: (of, title) => {
        focus.keep();
        setReport({ of, title });
      },
      openNotebook: null,
      fetchFile: null,
      insertCell: () => false,
      copy: copyText,
      say: setSaid
    }),
    [model, requests, renderer, focus]
  );
  const actions = React.useMemo<JobActions>(
    () => ({
      openEndpoint: (_, section) => {
        if (section) setTab(section);
        setOpened(null);
        focus.back();
      },
      openReport: job => {
        services.openReport({ job: job.id }, trans.__('Report on %1', job.title));
      },
      cellOpener: () => undefined,
      cellInserter: () => undefined,
      runVerb: services.runVerb,
      tryAgain: job => {
        setOpened({ verb: job.verb as Verb, ...again(job.request) });
      },
      force: async (job, reason) => {
        const request = { ...(job.request as unknown as PublishRequest), force: true, reason };
        const started = await jobs.start('publish', request);
        if (!('job' in started)) throw new Error('the verb publish has no job');
        return started.job;
      },
      cancel: async job => jobs.cancel(job.id),
      resultPage: async (job, candidates, signal) =>
        requests.view<ResultPageView>('result_page', { job: job.id, candidates }, signal),
      renderer,
      logInUrl: '',
      show: id => {
        setOpened({ job: id });
      }
    }),
    [services, requests, jobs, renderer, focus]
  );
  return (
    <ServicesProvider value={services}>
      <Endpoint
        model={model}
        tab={tab}
        onTab={setTab}
        wide
        inserted={
          <>
            {opened && (
              <Box
                title={titleOf(opened)}
                onClose={() => {
                  setOpened(null);
                  focus.back();
                }}
              >
                <VerbBox
                  state={opened}
                  endpoint={model.name}
                  transport={transport}
                  jobs={jobs}
                  actions={actions}
                  show={setOpened}
                  trans={trans}
                />
              </Box>
            )}
            {report && (
              <Box
                title={report.title}
                onClose={() => {
                  setReport(null);
                  focus.back();
                }}
              >
                <ReportPage of={report.of} transport={transport} />
              </Box>
            )}
            <p role="status" aria-live="polite" className="nbd-unseen">
              {said}
            </p>
          </>
        }
      />
    </ServicesProvider>
  );
}

function titleOf(state: VerbState): string {
  if ('page' in state) return state.page.title;
  if ('job' in state) return trans.__('Job');
  if (state.verb === 'publish') return trans.__('Publish %1', short(state.texts.release ?? ''));
  return labelsOf(trans)[state.verb].replace(/…$/, '');
}

/** A part that JupyterLab shows in a dialog or a tab. */
function Box(props: {
  title: string;
  onClose: () => void;
  children: React.ReactNode;
}): React.JSX.Element {
  const box = React.useRef<HTMLElement>(null);
  React.useEffect(() => {
    box.current?.focus();
  }, []);
  return (
    // eslint-disable-next-line jsx-a11y/no-noninteractive-element-interactions -- Escape, wherever the focus is within
    <section
      ref={box}
      className="nbd-Box"
      aria-label={props.title}
      tabIndex={-1}
      onKeyDown={event => {
        if (event.key === 'Escape') {
          event.stopPropagation();
          props.onClose();
        }
      }}
    >
      <div className="nbd-row">
        <h3>{props.title}</h3>
        <Button look="quiet" className="nbd-mod-right" onClick={props.onClose}>
          {trans.__('Close')}
        </Button>
      </div>
      {props.children}
    </section>
  );
}

/**
 * The page of a validation. It contains output of notebooks: it is in a frame of its own, without
 * scripts and without this page's rights.
 */
function ReportPage(props: { of: ReportOf; transport: Transport }): React.JSX.Element {
  const { of, transport } = props;
  const path =
    'job' in of ? 'reports' : `reports/${of.tag.split(':').map(encodeURIComponent).join('/')}`;
  const query: Record<string, string> = 'job' in of ? { job: of.job } : {};
  const loaded = useLoaded(JSON.stringify([path, query]), async signal => {
    const request = { method: 'GET' as const, path, query, body: null, revision: null, signal };
    return (await transport.request(request)).text;
  });
  if (loaded.error !== null) return <Notice problem={problemOf(loaded.error)} />;
  if (loaded.value === null) return <Waiting words={trans.__('Loading the report …')} />;
  return <iframe sandbox="" title={trans.__('Report of the validation')} srcDoc={loaded.value} />;
}

/** The control that opened something gets the focus back when that is closed. */
function useFocusBack(): { keep: () => void; back: () => void } {
  const from = React.useRef<Element | null>(null);
  return React.useMemo(
    () => ({
      keep: () => {
        from.current = document.activeElement;
      },
      back: () => {
        const element = from.current;
        requestAnimationFrame(() => {
          if (element instanceof HTMLElement && element.isConnected) element.focus();
        });
      }
    }),
    []
  );
}
