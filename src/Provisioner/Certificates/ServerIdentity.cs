using System.Net;
using System.Net.NetworkInformation;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Provisioner.Events;
using Provisioner.Resources;
using Provisioner.Storage;

namespace Provisioner.Certificates;

/// <summary>
/// The certificate the secure plane shows. Its key is made anew at each start and stays in memory; it is signed by the oldest
/// authority that is live, which is the one every host has pinned, and made again when its names change or two thirds of its life are over.
/// </summary>
internal sealed class ServerIdentity(CurrentState state, StateWriter writer, CertificateAuthority authority, SecureOptions options, TimeProvider time) : IDisposable
{
    private static readonly TimeSpan Lifetime = TimeSpan.FromDays(90);

    private readonly ECDsa key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
    private readonly SemaphoreSlim oneAtATime = new(1, 1);
    private Shown? shown;

    /// <summary>Null until there is an authority. Never waits.</summary>
    public SslStreamCertificateContext? Context => Volatile.Read(ref shown)?.Context;

    /// <summary>The names and addresses it is for, the best known first; none until there is an authority.</summary>
    public IReadOnlyList<string> Names => Volatile.Read(ref shown)?.Names ?? [];

    /// <summary>Makes the certificate, or another when the present one no longer fits.</summary>
    /// <exception cref="StoreException">It could not be stored, and is not shown.</exception>
    public async Task RefreshAsync(CancellationToken ct)
    {
        await oneAtATime.WaitAsync(ct);
        try
        {
            var snapshot = state.Snapshot;
            var signed = AuthorityChanges.In(snapshot, AuthorityState.Previous) ?? snapshot.IssuingAuthority;
            if (signed is null)
                return;
            // Made by a clock that was set back, another would be over for every host whose clock is right.
            if (shown is not null && snapshot.LastIssuedAt - CertificateOptions.Backdating > time.GetUtcNow())
                return;
            var (now, names) = (time.GetUtcNow(), NamesIn(snapshot));
            if (shown is { } present && present.Authority.AsSpan().SequenceEqual(signed.Der) && present.Names.SequenceEqual(names, StringComparer.Ordinal) && !snapshot.Revoked.Contains(present.Serial) && !present.IsDueAt(now))
                return;
            await ShowAsync(signed, names, now, ct);
        }
        finally
        {
            oneAtATime.Release();
        }
    }

    public void Dispose()
    {
        key.Dispose();
        oneAtATime.Dispose();
    }

    private async Task ShowAsync(Authority signed, List<string> names, DateTimeOffset now, CancellationToken ct)
    {
        var addresses = names.Select(n => IPAddress.TryParse(n, out var address) ? address : null).OfType<IPAddress>();
        var dns = names.Where(n => !IPAddress.TryParse(n, out _));
        var made = authority.SignerOf(signed).IssueAppliance(dns.First(), dns, addresses, new PublicKey(key), now, Lifetime);
        await writer.ChangeAsync(editor =>
        {
            editor.Put(made);
            editor.Record(new Event
            {
                At = editor.Now,
                Source = EventSource.Service,
                Outcome = EventOutcome.Changed,
                What = $"Certificate {made.Serial} made for the secure plane, good until {made.NotAfter:u}",
                Reason = $"its names are {ResourceChanges.Enumerate(names)}",
                Subject = $"Certificate/{made.Serial}",
            });
            return 0;
        }, ct);
        using var bare = X509CertificateLoader.LoadCertificate(made.Der);
        var withKey = bare.CopyWithPrivateKey(key);
        var above = new X509Certificate2Collection(signed.Chain.Prepend(signed.Der!).Select(der => X509CertificateLoader.LoadCertificate(der)).ToArray());
        var context = SslStreamCertificateContext.Create(withKey, above, offline: true);
        Volatile.Write(ref shown, new Shown(context, made.Serial, signed.Der!, names, made.NotBefore, made.NotAfter));
    }

    /// <summary>What hosts may call the appliance: what the configuration says, this machine's name and addresses, those Networks advertise.</summary>
    private List<string> NamesIn(Snapshot snapshot)
    {
        var names = new List<string>(options.Names);
        // The name of a machine is whatever somebody typed; only a DNS name can stand in a certificate.
        var own = Environment.MachineName.ToLowerInvariant();
        if (Texts.DomainName(own) is null)
            names.Add(own);
        names.Add("localhost");
        names.AddRange(snapshot.Networks.Values.Where(n => n.Spec.Advertise is not null).Select(n => n.Spec.Advertise!.Value.ToString()));
        names.AddRange(NetworkInterface.GetAllNetworkInterfaces()
            .SelectMany(i => i.GetIPProperties().UnicastAddresses)
            .Where(u => u.Address.AddressFamily == AddressFamily.InterNetwork)
            .Select(u => u.Address.ToString()).Order(StringComparer.Ordinal));
        return [.. names.Distinct(StringComparer.Ordinal)];
    }

    private sealed record Shown(SslStreamCertificateContext Context, string Serial, byte[] Authority, List<string> Names, DateTimeOffset NotBefore, DateTimeOffset NotAfter)
    {
        public bool IsDueAt(DateTimeOffset now) => now < NotBefore || now >= NotBefore + (NotAfter - NotBefore) * 2 / 3;
    }
}
