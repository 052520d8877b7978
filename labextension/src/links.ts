/** Links that open JupyterLab at an endpoint and a section: `…/lab?nbdeploy=churn&section=logs`. */
import { type Section, SECTIONS } from './model';

const NAME = 'nbdeploy';
const SECTION = 'section';

/** Addresses with a link's parameter. */
export const LINK_PATTERN = /[?&]nbdeploy=/;

/** `base`: the address of JupyterLab; a token in it stays out of the link. */
export function linkTo(base: string, name: string, section: Section): string {
  const url = new URL(base);
  url.search = new URLSearchParams({ [NAME]: name, [SECTION]: section }).toString();
  url.hash = '';
  return url.href;
}

/** The endpoint and the section of a link's query; null: it names no endpoint. */
export function targetOf(search: string): { name: string; section: Section } | null {
  const given = new URLSearchParams(search);
  const name = given.get(NAME);
  if (!name) return null;
  const section = SECTIONS.find(one => one === given.get(SECTION)) ?? 'releases';
  return { name, section };
}

/** The query without the parameters of a link, which has served its purpose. */
export function withoutTarget(search: string): string {
  const given = new URLSearchParams(search);
  given.delete(NAME);
  given.delete(SECTION);
  const rest = given.toString();
  return rest ? `?${rest}` : '';
}
