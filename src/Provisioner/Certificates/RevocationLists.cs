using System.Collections.Immutable;
using System.Security.Cryptography;
using Provisioner.Events;
using Provisioner.Storage;

namespace Provisioner.Certificates;

/// <summary>
/// The revocation lists of the live authorities: made anew at once when a certificate is revoked, and each day long before they are over.
/// Served from memory; only their numbers are stored, before a list with that number is seen.
/// </summary>
internal sealed class RevocationLists(CurrentState state, StateWriter writer, CertificateAuthority authority, ServedRevocationLists served, TimeProvider time) : IDisposable
{
    /// <summary>What ImportCrl takes, as PEM (https://docs.aws.amazon.com/rolesanywhere/latest/APIReference/API_ImportCrl.html).</summary>
    public const int MaximumBytes = 300_000;

    /// <summary>From here on an alert says so.</summary>
    public const int WarningBytes = MaximumBytes * 8 / 10;

    public static readonly TimeSpan Lifetime = TimeSpan.FromDays(7);

    /// <summary>A list is made anew when it is so old: a service that stands still for days leaves a list that is good for days.</summary>
    public static readonly TimeSpan MaximumAge = TimeSpan.FromDays(1);

    /// <summary>An entry stays for so long after its certificate's end, so that it was on a list after it (RFC 5280 §3.3).</summary>
    public static readonly TimeSpan EntryAfterEnd = Lifetime;

    private readonly SemaphoreSlim oneAtATime = new(1, 1);
    private ImmutableDictionary<string, Made> lists = ImmutableDictionary<string, Made>.Empty;

    /// <summary>By authority. Never waits.</summary>
    public ServedRevocationList? Of(string authorityId) => served.Of(authorityId);

    /// <summary>That of the issuing authority.</summary>
    public ServedRevocationList? Present => state.Snapshot.IssuingAuthority is { } issuing ? Of(issuing.Id) : null;

    public static string SizeAlert(Authority authority) => $"crl-size:{authority.Id}";

    /// <summary>Makes anew the lists that are out of date; returns when what is revoked now is on what is served.</summary>
    /// <param name="force">All of them.</param>
    /// <exception cref="StoreException">The number could not be stored: the lists before are served on.</exception>
    public async Task RefreshAsync(bool force, CancellationToken ct)
    {
        await oneAtATime.WaitAsync(ct);
        try
        {
            var live = state.Snapshot.Authorities.Values.Where(a => a.IsLive).ToList();
            foreach (var one in live)
            {
                if (force || IsStale(one))
                    await MakeAsync(one.Id, ct);
            }
            foreach (var gone in lists.Keys.Except(live.Select(a => a.Id)).ToList())
            {
                Volatile.Write(ref lists, lists.Remove(gone));
                served.Remove(gone);
            }
        }
        finally
        {
            oneAtATime.Release();
        }
    }

    /// <summary>Something was revoked that is on no list yet.</summary>
    public bool IsBehind(Snapshot snapshot) => Volatile.Read(ref lists).Values.Any(made => !ReferenceEquals(made.Revoked, snapshot.Revoked));

    public void Dispose() => oneAtATime.Dispose();

    private bool IsStale(Authority one) =>
        !lists.TryGetValue(one.Id, out var made) || !ReferenceEquals(made.Revoked, state.Snapshot.Revoked)
        || !made.Signer.AsSpan().SequenceEqual(one.Der) || (time.GetUtcNow() - made.List.ThisUpdate).Duration() > MaximumAge;

    private async Task MakeAsync(string id, CancellationToken ct)
    {
        var numbered = await writer.ChangeAsync(editor =>
        {
            var stored = editor.Snapshot.Authorities[id];
            stored = stored with { CrlNumber = stored.CrlNumber + 1 };
            editor.Put(stored);
            return (Authority: stored, editor.Snapshot, editor.Now);
        }, ct);
        var (one, snapshot, now) = numbered;
        var entries = snapshot.Revoked.Select(serial => snapshot.Certificates[serial])
            .Where(c => c.Authority == id && now <= c.NotAfter + EntryAfterEnd)
            .OrderBy(c => c.RevokedAt).ThenBy(c => c.Serial, StringComparer.Ordinal).ToList();
        var thisUpdate = DateTimeOffset.FromUnixTimeSeconds(now.ToUnixTimeSeconds());
        var der = authority.SignerOf(one).SignList(one.CrlNumber, entries, thisUpdate, thisUpdate + Lifetime);
        var list = new ServedRevocationList(id, one.CrlNumber, entries.Count, thisUpdate, thisUpdate + Lifetime, der, PemEncoding.WriteString("X509 CRL", der) + "\n");
        served.Put(list);
        Volatile.Write(ref lists, lists.SetItem(id, new Made(list, snapshot.Revoked, one.Der!)));
        await TellSizeAsync(one, list, ct);
    }

    private async Task TellSizeAsync(Authority one, ServedRevocationList list, CancellationToken ct)
    {
        var id = SizeAlert(one);
        var size = list.Pem.Length;
        if (size < WarningBytes)
        {
            if (state.Snapshot.Alerts.ContainsKey(id))
                await writer.ChangeAsync(editor => { editor.Lower(id); return 0; }, ct);
            return;
        }
        var alert = new Alert
        {
            Id = id,
            Severity = size > MaximumBytes ? AlertSeverity.Critical : AlertSeverity.Warning,
            Message = FormattableString.Invariant($"The revocation list of {one.Subject} has {size:N0} bytes as PEM with {list.Entries} entries; Roles Anywhere takes {MaximumBytes:N0}."),
            Remedy = "Rotate the authority: 'provisioner ca rotate'. A new one begins with an empty list, and the old list goes with the old authority.",
        };
        await writer.ChangeAsync(editor => { editor.Raise(alert); return 0; }, ct);
    }

    private sealed record Made(ServedRevocationList List, ImmutableHashSet<string> Revoked, byte[] Signer);
}
