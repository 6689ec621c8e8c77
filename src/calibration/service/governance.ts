/** The rights of the people whose data this is, and the jobs that keep to them: deletion, export, anonymisation, retention, sealing anew after a change of keys. */
import { createHash } from 'node:crypto';
import type { CalibrationStore } from '../../store/calibration/store.js';
import { iso } from './clock.js';
import type { ServiceContext } from './context.js';
import { reseal } from './reseal.js';
import { retain } from './retention.js';
import type { Caller } from './tokens.js';
import type { Vault } from './vault.js';

export function createGovernance(context: ServiceContext, store: CalibrationStore, vault: Vault) {
  const { records, access, workplace } = context;

  /** Around a change, before and after it: whoever asked meanwhile may have brought back what was there. */
  const forget = (candidate_id: string): void => {
    context.live.forgetCandidate(candidate_id);
    context.looks.forgetCandidate(candidate_id);
  };

  /** All that is stored of a candidate is gone; the audit log keeps that something was there, under a name that leads nowhere. */
  const erase = async (candidate_id: string): Promise<Record<string, number>> => {
    forget(candidate_id);
    const deleted = await workplace.run('erase', await records.frameCountOf(candidate_id), { candidate_id, alias: pseudonym(candidate_id) });
    forget(candidate_id);
    return { ...deleted, ...(await eraseTraces(candidate_id)) };
  };
  /**
   * The webhooks after the calibration: they lie in another database, so a crash may come in between, and who has no session any more is how the next retention run
   * finds what it left. The other way round, an event that was announced in between would stay, and a calibration too, of somebody who asked for its deletion.
   */
  const eraseTraces = async (candidate_id: string): Promise<Record<string, number>> => ({ ...(await context.traces?.erase(candidate_id)) });
  const expire = async (candidate_id: string): Promise<void> => {
    const deleted = await erase(candidate_id);
    await access.note({ actor: 'system', role: 'system' }, 'retention_deleted', 'allowed', { candidate_id: pseudonym(candidate_id), detail: JSON.stringify(deleted) });
  };

  /** What a deletion or anonymisation that was cut off left of somebody in the webhooks. */
  const sweep = async (candidate_id: string): Promise<number> => {
    const erased = await eraseTraces(candidate_id);
    await access.note({ actor: 'system', role: 'system' }, 'webhooks_erased', 'allowed', { candidate_id: pseudonym(candidate_id), detail: JSON.stringify(erased) });
    return Object.values(erased).reduce((sum, count) => sum + count, 0);
  };

  return {
    async delete(caller: Caller, candidate_id: string) {
      await access.check(caller, 'data_delete', { candidate_id });
      const deleted = await erase(candidate_id);
      await access.note(caller, 'data_deleted', 'allowed', { candidate_id: pseudonym(candidate_id), detail: JSON.stringify(deleted) });
      return { candidate_id, deleted, deleted_at: iso(context.now_ms()) };
    },

    /** Everything that is stored of a candidate, in a form that other programs read. @returns JSON */
    async export(caller: Caller, candidate_id: string): Promise<Uint8Array> {
      await access.check(caller, 'data_export', { candidate_id });
      return workplace.run('export', await records.frameCountOf(candidate_id), { candidate_id, now_ms: context.now_ms(), beside: { webhooks: (await context.traces?.of(candidate_id)) ?? null } });
    },

    /** The calibration stays for statistics, the person goes: another id everywhere, no link to an interview, no free text, no picture positions. */
    async anonymise(caller: Caller, candidate_id: string) {
      await access.check(caller, 'data_anonymise', { candidate_id });
      const alias = `anon-${context.uuid()}`;
      forget(candidate_id);
      await workplace.run('rename', await records.frameCountOf(candidate_id), { from: candidate_id, to: alias });
      forget(candidate_id);
      // Removed and not renamed: the receiver knows the session and the interview, and would learn from such an event whose the new id is.
      const erased = await eraseTraces(candidate_id);
      await access.note(caller, 'data_anonymised', 'allowed', { candidate_id: alias, detail: JSON.stringify(erased) });
      return { anonymised_as: alias, anonymised_at: iso(context.now_ms()) };
    },

    auditLog: async (caller: Caller, filter: { candidate_id?: string | undefined; after: number; limit: number }) => {
      await access.check(caller, 'audit_read', { candidate_id: filter.candidate_id ?? null });
      return (await records.auditOf(filter)).map(({ at_ms, ...entry }) => ({ ...entry, at: iso(Number(at_ms)) }));
    },

    async runRetention(caller: Caller | null) {
      if (caller !== null) await access.check(caller, 'retention_run', { candidate_id: null });
      return retain(context, { expire, sweep });
    },

    reseal: () => reseal(store, vault),
  };
}

/** A name that leads nowhere, the same for the same person. */
function pseudonym(candidate_id: string): string {
  return `deleted:${createHash('sha256').update(`sightline audit ${candidate_id}`).digest('hex').slice(0, 16)}`;
}
