// SPDX-License-Identifier: MIT
// How the daemon itself is.
import { useEffect } from 'preact/hooks';
import { get } from '../api.js';
import { Ago, Card, Copy, Facts, Read, Tag, Title, useRead } from '../ui.jsx';
import { useLiveState } from '../live.js';
import { size, stamp } from '../words.js';

export function Health() {
  const read = useRead((signal) => get('/status', signal), []);
  const live = useLiveState();
  useEffect(() => {
    const timer = setInterval(read.reload, 5000);
    return () => clearInterval(timer);
  }, []);
  return (
    <>
      <Title>Health</Title>
      <Read read={read} rows={5}>
        {(s) => {
          const low = s.disk_free_bytes !== null && s.disk_free_bytes < 256 * 1048576;
          return (
            <div class="grid">
              <Card title="Daemon"><Facts rows={[
                ['Version', s.version], ['Running since', <>{stamp(s.started_at)} (<Ago at={s.started_at} />)</>], ['Database schema', s.schema],
                ['Live events', live === 'live' ? <Tag tone="good" sign="✓">connected</Tag> : <Tag tone="wait" sign="…">connecting</Tag>],
              ]} /></Card>
              <Card title="Storage"><Facts rows={[
                ['Changes waiting', <Tag tone={s.queued_changes > 100 ? 'wait' : 'good'} sign={s.queued_changes > 100 ? '!' : '✓'}>{s.queued_changes}</Tag>],
                ['Last commit took', <Tag tone={s.last_commit_ms > 1000 ? 'wait' : 'good'} sign={s.last_commit_ms > 1000 ? '!' : '✓'}>{s.last_commit_ms} ms</Tag>],
                ['Database', `${size(s.database_bytes)}, log ${size(s.wal_bytes)}`],
                ['Free on the disk', <Tag tone={low ? 'bad' : 'good'} sign={low ? '!' : '✓'}>{size(s.disk_free_bytes)}</Tag>],
              ]} /></Card>
              <Card title="Devices reach it at">{s.device_urls.map((url) => <Copy key={url} text={url} />)}</Card>
            </div>
          );
        }}
      </Read>
    </>
  );
}
