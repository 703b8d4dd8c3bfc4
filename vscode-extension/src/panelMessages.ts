/** What the panel's page and the extension tell each other. */

import type { PanelModel } from './panelModel';

/** To the page. */
export interface Draw {
  readonly kind: 'draw';
  readonly model: PanelModel;
}

/** What a button may ask for: commands of the extension, by the end of their names. */
export const ACTIONS = ['calibrate', 'export', 'explain', 'energyPermission', 'openPanelInEditor', 'showLog'] as const;
export type Action = (typeof ACTIONS)[number];

/** From the page. */
export type FromPage =
  | { readonly kind: 'ready' }
  | { readonly kind: 'energySaving'; readonly value: number }
  | { readonly kind: 'qualityFloor'; readonly value: number | null }
  | { readonly kind: 'run'; readonly action: Action }
  | { readonly kind: 'pair'; readonly action: 'recommend' | 'pull' | 'use'; readonly pair: string };

/** Reads what the page said; undefined where it is nothing that it may say. */
export function fromPage(data: unknown): FromPage | undefined {
  if (typeof data !== 'object' || data === null) return undefined;
  const { kind, value, action, pair } = data as Record<string, unknown>;
  if (kind === 'ready') return { kind };
  if (kind === 'energySaving' && isPercent(value) && Number.isInteger(value)) return { kind, value };
  if (kind === 'qualityFloor' && (value === null || isPercent(value))) return { kind, value };
  const known = ACTIONS.find((each) => each === action);
  if (kind === 'run' && known) return { kind, action: known };
  if (kind === 'pair' && typeof pair === 'string' && (action === 'recommend' || action === 'pull' || action === 'use')) {
    return { kind, action, pair };
  }
  return undefined;
}

function isPercent(value: unknown): value is number {
  return typeof value === 'number' && value >= 0 && value <= 100;
}
