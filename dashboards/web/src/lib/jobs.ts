/** Questions in the background, as the page shows them. */
import type { Job } from './types';

export const isUnderWay = (job: Job) => job.status === 'waiting' || job.status === 'running';

/** Whether the list is worth another look soon. */
export const isMoving = (jobs: Job[]) => jobs.some(isUnderWay);

/** 0 to 1 of the time range; null where nothing tells, as with SQL. */
export const share = (job: Job): number | null => (job.status === 'running' && job.permille !== null ? job.permille / 1000 : null);

export const takeHref = (job: Job, format: string) => `/api/v1/jobs/${encodeURIComponent(job.id)}/download?format=${format}`;
