import { LabIcon } from '@jupyterlab/ui-components';

/**
 * Drawn for 16 × 16. The class `jp-icon3` takes the theme's colour for the attribute of its
 * element.
 */
function icon(name: string, body: string): LabIcon {
  const svgstr = `<svg xmlns="http://www.w3.org/2000/svg" width="16" viewBox="0 0 16 16"><g fill="none" stroke-linecap="round" stroke-linejoin="round">${body}</g></svg>`;
  return new LabIcon({ name: `nbdeploy:${name}`, svgstr });
}

const line = 'class="jp-icon3" stroke="#616161" stroke-width="1.3"';
const area = 'class="jp-icon3" fill="#616161"';

/** The requests that a role gets, drawn: all of them, a share, a copy, none. */
export const roleIcons = {
  stable: icon(
    'stable',
    `<circle ${line} cx="8" cy="8" r="6"/><circle ${area} cx="8" cy="8" r="3.4"/>`
  ),
  canary: icon(
    'canary',
    `<circle ${line} cx="8" cy="8" r="6"/><path ${area} d="M8 8V2a6 6 0 0 1 5.7 4.1z"/>`
  ),
  shadow: icon(
    'shadow',
    `<circle ${line} cx="6.2" cy="6.2" r="4.4"/><path ${line} stroke-dasharray="1.2 2" d="M11.6 6.1a4.4 4.4 0 1 1-5.5 5.5"/>`
  ),
  idle: icon('idle', `<circle ${line} stroke-dasharray="2 2" cx="8" cy="8" r="6"/>`)
} as const;
