using System.Collections.Concurrent;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Provisioner.Appliance;
using Provisioner.Certificates.Keys;
using Provisioner.Resources;
using Provisioner.Storage;

namespace Provisioner.Certificates;

/// <summary>
/// The authorities as they sign: their keys opened, the first one made at the first start, the next one made, requested and imported.
/// What follows what is decided in <see cref="AuthorityChanges"/>.
/// </summary>
internal sealed class CertificateAuthority(
    CurrentState state, StateWriter writer, AuthorityKeys keys, CertificateOptions options, IClock clock, TimeProvider time) : IDisposable
{
    private readonly ConcurrentDictionary<string, SigningAuthority> signers = [];
    private readonly SemaphoreSlim oneAtATime = new(1, 1);

    /// <summary>Why no certificate is issued now; null when they are.</summary>
    public string? WhyNotIssuing(DateTimeOffset now)
    {
        if (clock.Status is { IsSynchronised: false } status)
            return $"{status.Reason}; for a laboratory, start the service with --allow-unsynchronised-clock";
        if (state.Snapshot.IssuingAuthority is not { } issuing)
            return "there is no authority yet";
        // The record knows what time it was: a clock that was set back would make certificates that are over before they begin.
        if (now < issuing.CreatedAt - CertificateOptions.Backdating)
            return $"the clock says {now:u}, before the authority was made ({issuing.CreatedAt:u}): set it right";
        if (state.Snapshot.LastIssuedAt is { } last && now < last - CertificateOptions.Backdating)
            return $"the clock says {now:u}, and a certificate was issued at {last:u} already: the clock was set back. Set it right; if it was wrong then, revoke what was issued after now ('provisioner get certificates -o wide')";
        return now >= issuing.NotAfter ? $"the authority ended at {issuing.NotAfter:u}: 'provisioner ca rotate' makes the next" : null;
    }

    /// <summary>Opens the keys of all authorities that may have to sign.</summary>
    /// <exception cref="StartRefusedException">One cannot be opened; says which and what to do.</exception>
    public void Open()
    {
        try
        {
            _ = keys.Default;
            foreach (var authority in state.Snapshot.Authorities.Values.Where(a => a.IsLive || a.State == AuthorityState.Next))
                _ = SignerOf(authority);
        }
        catch (KeyStoreException e)
        {
            throw new StartRefusedException(e.Message, e);
        }
    }

    /// <summary>The authority's signer.</summary>
    /// <exception cref="KeyStoreException">Its key cannot be opened.</exception>
    public SigningAuthority SignerOf(Authority authority)
    {
        // An import gives the same key another certificate.
        if (signers.TryGetValue(authority.Id, out var known) && known.Record.Der.AsSpan().SequenceEqual(authority.Der))
            return known;
        return signers.AddOrUpdate(authority.Id, _ => Make(), (_, old) => old.Record.Der.AsSpan().SequenceEqual(authority.Der) ? old : Make());

        SigningAuthority Make()
        {
            var key = keys.StoreOf(authority.KeyStore).Open(authority.Id);
            if (KeyHash(key.PublicKey) == authority.KeyHash)
                return new SigningAuthority(authority, key);
            key.Dispose();
            throw new KeyStoreException($"The key '{authority.Id}' is not that of {authority.Subject}: bring back the one that belongs to it.");
        }
    }

    /// <summary>Makes the first authority when there is none and the clock is right.</summary>
    /// <returns>Whether there is one now.</returns>
    public async Task<bool> EnsureFirstAsync(CancellationToken ct)
    {
        if (state.Snapshot.Authorities.Values.Any(a => a.IsLive))
            return true;
        if (!clock.Status.IsSynchronised)
            return false;
        await oneAtATime.WaitAsync(ct);
        try
        {
            if (state.Snapshot.Authorities.Values.Any(a => a.IsLive))
                return true;
            var made = Create(options.Algorithm, signSelf: true);
            var first = made with { State = AuthorityState.Issuing, IssuingSince = made.CreatedAt };
            await writer.ChangeAsync(editor => AuthorityChanges.Add(editor, first, "first start", null), ct);
            return true;
        }
        finally
        {
            oneAtATime.Release();
        }
    }

    /// <summary>Makes the next authority, signed by itself or waiting for somebody else to sign it. When there is one already, that one.</summary>
    /// <exception cref="ChangeRefusedException">A change of authority is under way.</exception>
    public async Task<Authority> PrepareAsync(KeyAlgorithm? algorithm, bool signSelf, string? actor, CancellationToken ct)
    {
        await oneAtATime.WaitAsync(ct);
        try
        {
            if (AuthorityChanges.Coming(state.Snapshot) is { } coming && (algorithm is null || algorithm == coming.Algorithm) && coming.State == (signSelf ? AuthorityState.Next : AuthorityState.Pending))
                return coming;
            AuthorityChanges.RefuseUnlessIdle(state.Snapshot);
            var made = Create(algorithm ?? options.Algorithm, signSelf);
            return await writer.ChangeAsync(editor => AuthorityChanges.Add(editor, made, signSelf ? "it signed itself" : "to be signed by another authority", actor), ct);
        }
        finally
        {
            oneAtATime.Release();
        }
    }

    /// <summary>A request by which another authority can sign the issuing authority's key, or that of the next one.</summary>
    /// <returns>PKCS#10, PEM.</returns>
    public async Task<string> RequestAsync(bool next, KeyAlgorithm? algorithm, string? actor, CancellationToken ct)
    {
        var authority = next
            ? AuthorityChanges.Coming(state.Snapshot) ?? await PrepareAsync(algorithm, signSelf: false, actor, ct)
            : state.Snapshot.IssuingAuthority ?? throw new ChangeRefusedException(RefusalKind.Conflict, "there is no authority yet");
        using var key = keys.StoreOf(authority.KeyStore).Open(authority.Id);
        return PemEncoding.WriteString("CERTIFICATE REQUEST", SigningAuthority.Request(key, new X500DistinguishedName(authority.Subject)));
    }

    /// <summary>Takes a certificate that another authority signed for one of ours, with the certificates above it.</summary>
    /// <param name="pem">PEM, in any order.</param>
    /// <exception cref="ChangeRefusedException">It is for no key of ours, or cannot be an issuing authority; says why.</exception>
    public async Task<Authority> ImportAsync(string pem, string? actor, CancellationToken ct)
    {
        await oneAtATime.WaitAsync(ct);
        try
        {
            var candidates = state.Snapshot.Authorities.Values.Where(a => a.State is not (AuthorityState.Retired or AuthorityState.Previous)).ToList();
            var completed = ImportedAuthority.Read(pem, candidates, time.GetUtcNow());
            completed = await writer.ChangeAsync(editor => AuthorityChanges.Complete(editor, completed, actor), ct);
            _ = SignerOf(completed);
            return completed;
        }
        finally
        {
            oneAtATime.Release();
        }
    }

    /// <summary>The certificates a host is to trust, and what is above them: the issuing authority first (RFC 7030 §4.1.3).</summary>
    public static IReadOnlyList<byte[]> Trusted(Snapshot snapshot)
    {
        var order = new[] { AuthorityState.Issuing, AuthorityState.Previous, AuthorityState.Next };
        var found = new List<byte[]>();
        foreach (var authority in snapshot.Authorities.Values.Where(a => order.Contains(a.State)).OrderBy(a => Array.IndexOf(order, a.State)))
        {
            foreach (var der in authority.Chain.Prepend(authority.Der!))
            {
                if (!found.Exists(f => f.AsSpan().SequenceEqual(der)))
                    found.Add(der);
            }
        }
        return found;
    }

    public void Dispose()
    {
        foreach (var signer in signers.Values)
            signer.Dispose();
        oneAtATime.Dispose();
    }

    private Authority Create(KeyAlgorithm algorithm, bool signSelf)
    {
        var id = RandomNumberGenerator.GetHexString(16, lowercase: true);
        var store = keys.Default;
        // The key is kept for good before anything names it; a crash in between leaves a key that nothing names.
        using var key = store.Create(algorithm, id);
        var now = time.GetUtcNow();
        var subject = new X500DistinguishedName($"CN=Provisioner CA {id}");
        var authority = new Authority
        {
            Id = id,
            State = AuthorityState.Pending,
            Algorithm = algorithm,
            KeyStore = store.Kind,
            Subject = subject.Name,
            KeyHash = KeyHash(key.PublicKey),
            CreatedAt = now,
        };
        if (signSelf)
        {
            var der = SigningAuthority.SignSelf(key, subject, now, options.AuthorityLifetime);
            using var certificate = X509CertificateLoader.LoadCertificate(der);
            var (notBefore, notAfter) = Validity.Of(certificate);
            authority = authority with
            {
                State = AuthorityState.Next,
                Der = der,
                NotBefore = notBefore,
                NotAfter = notAfter,
            };
        }
        return authority;
    }

    private static string KeyHash(PublicKey key) => Convert.ToHexStringLower(SHA256.HashData(key.ExportSubjectPublicKeyInfo()));
}
