/**
 * The services of JupyterLab and the server for the widgets of the Deployments sidebar, passed down
 * once.
 */
import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import type { EndpointModel } from '../../endpoint';
import type { Job } from '../../generated';
import type { Section } from '../../model';
import type { NamedCommand } from '../../namedCommands';
import type { Renderer } from '../../renderer';
import type { ReportOf } from '../../report';
import type { VerbField } from '../../verbFields';

export interface Services {
  readonly trans: TranslationBundle;
  readonly renderer: Renderer;
  /** A view's document from the server; the numbers of `form` keep their digits. */
  view<T>(
    view: string,
    request: Readonly<Record<string, unknown>>,
    signal?: AbortSignal
  ): Promise<T>;
  /** A fast verb; numbers keep their digits in the request and in the answer. */
  call<T>(
    verb: string,
    request: Readonly<Record<string, unknown>>,
    signal?: AbortSignal
  ): Promise<T>;
  /** A slow verb: its job, at its end. */
  job(verb: string, request: Readonly<Record<string, unknown>>): Promise<Job>;
  /** The fields of a part of a request, by the name of its schema. */
  fields(schema: string): Promise<readonly VerbField[]>;
  /** The model of an endpoint; within this view there is one per endpoint. */
  endpoint(name: string): EndpointModel;
  /** Opens the deploy dialog; null: the host has none. */
  readonly deploy: (() => void) | null;
  /** Opens the dialog that compares the models of a notebook; null: the host has none. */
  readonly compare: (() => void) | null;
  /** Opens the form of a search for models of a table; null: the host has none. */
  readonly findModel: (() => void) | null;
  /** Opens the dialog that publishes a release of an endpoint. */
  publish(name: string, release: string): void;
  /** Opens the view of a command that a message names, or its form with the command's values. */
  runVerb(command: Pick<NamedCommand, 'verb' | 'words'>): void;
  /** Opens an endpoint's tab in the main area; null: the host has none. */
  readonly openTab: ((name: string, tab: Section) => void) | null;
  /** The address that opens JupyterLab at a section of an endpoint; null: the host has none. */
  readonly linkTo: ((name: string, section: Section) => string) | null;
  /** Opens the page of a release's validation, or of the one that refused a job. */
  openReport(of: ReportOf, title: string): void;
  /** Opens a notebook that the server can reach; false: it is elsewhere. Null: the host opens none. */
  readonly openNotebook: ((path: string) => Promise<boolean>) | null;
  /** Downloads a file that the server wrote, or opens a notebook; null: the host cannot. */
  readonly fetchFile: ((path: string) => Promise<void>) | null;
  /** Inserts a cell below the active one of the current notebook; false: no notebook is open. */
  insertCell(source: string): boolean;
  /** Copies a text to the clipboard; false: the browser has none. */
  copy(text: string): Promise<boolean>;
  /** Announces a text to screen readers. */
  say(words: string): void;
}

const Context = React.createContext<Services | null>(null);

export const ServicesProvider = Context.Provider;

export function useServices(): Services {
  const services = React.useContext(Context);
  if (services === null) throw new Error('a sidebar widget needs a ServicesProvider');
  return services;
}
