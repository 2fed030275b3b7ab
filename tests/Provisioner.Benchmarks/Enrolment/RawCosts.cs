using System.Diagnostics;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Provisioner.Certificates;
using Provisioner.Certificates.Keys;
using Provisioner.Events;
using Provisioner.Hosts;
using Provisioner.Protocols.Est;
using Provisioner.Storage;

namespace Provisioner.Benchmarks.Enrolment;

/// <summary>What an enrolment cannot do without, each alone on one thread and warm. Seconds.</summary>
/// <param name="Sign">One signature of a certificate's size by the authority's key, as <see cref="SigningKey.Generator"/> makes it.</param>
/// <param name="Verify">The request's signature: public key imported, SHA-256, one P-256 verification, as reading a request does it.</param>
/// <param name="Read">Reading a request whole, the verification in it.</param>
/// <param name="Issue">Making a certificate whole, the signature in it.</param>
/// <param name="Write">One durable commit of <paramref name="Batch"/> enrolments: LiteDB's transaction and checkpoint, then the journal's line and its fsync.</param>
/// <param name="Flush">4 KiB appended to a file, and fsync.</param>
internal sealed record RawCosts(double Sign, double Verify, double Read, double Issue, double Write, int Batch, double Flush)
{
    /// <summary>Signatures and durable writes alone, one after the other: hosts a second.</summary>
    public double Bound => 1 / (Sign + Verify + Write / Batch);

    public static RawCosts Measure(string folder, List<WaitingHost> hosts, int batch, bool quick)
    {
        var times = quick ? 300 : 1500;
        using var key = SigningKey.Try("benchmark", ECDsa.Create(ECCurve.NamedCurves.nistP256), "here");
        using var signer = new SigningAuthority(Authority(key), key);
        var host = hosts[0];
        var now = TimeProvider.System.GetUtcNow();
        var request = Parsed(host);
        var body = signer.IssueHost(host.Name, request.SubjectPublicKeyInfo, now, TimeSpan.FromDays(90)).Der;
        byte[] signature;
        using (var client = ECDsa.Create(ECCurve.NamedCurves.nistP256))
        {
            signature = client.SignData(host.Request, HashAlgorithmName.SHA256, DSASignatureFormat.Rfc3279DerSequence);
            var publicKey = client.ExportSubjectPublicKeyInfo();
            return new RawCosts(
                Time(times, _ => key.Generator.SignData(body, HashAlgorithmName.SHA256)),
                Time(times, _ => IsSigned(publicKey, host.Request, signature)),
                Time(times, i => Parsed(hosts[i % hosts.Count])),
                Time(times, i => signer.IssueHost(host.Name, request.SubjectPublicKeyInfo, now, TimeSpan.FromDays(90))),
                TimeWrites(Path.Combine(folder, "raw"), hosts, signer, batch, now),
                batch,
                TimeFlush(Path.Combine(folder, "flush")));
        }
    }

    private static Authority Authority(SigningKey key)
    {
        var subject = new X500DistinguishedName("CN=Benchmark");
        var now = TimeProvider.System.GetUtcNow();
        return new Authority
        {
            Id = "benchmark",
            State = AuthorityState.Issuing,
            Algorithm = key.Algorithm,
            KeyStore = "file",
            Subject = subject.Name,
            KeyHash = Convert.ToHexStringLower(SHA256.HashData(key.PublicKey.ExportSubjectPublicKeyInfo())),
            CreatedAt = now,
            Der = SigningAuthority.SignSelf(key, subject, now, TimeSpan.FromDays(3650)),
            NotBefore = now,
            NotAfter = now + TimeSpan.FromDays(3650),
        };
    }

    private static CertificateSigningRequest Parsed(WaitingHost host) =>
        CertificateSigningRequest.TryParse(host.Request, out var request, out var reason) ? request : throw new InvalidOperationException(reason);

    private static bool IsSigned(byte[] publicKey, byte[] signed, byte[] signature)
    {
        using var ecdsa = ECDsa.Create();
        ecdsa.ImportSubjectPublicKeyInfo(publicKey, out _);
        return ecdsa.VerifyData(signed, signature, HashAlgorithmName.SHA256, DSASignatureFormat.Rfc3279DerSequence)
            ? true : throw new InvalidOperationException("the signature does not verify");
    }

    /// <summary>The records that an enrolment writes, into a store of their own, batch by batch as the service did.</summary>
    private static double TimeWrites(string directory, List<WaitingHost> hosts, SigningAuthority signer, int batch, DateTimeOffset now)
    {
        var commits = Enumerable.Range(0, Math.Clamp(hosts.Count / batch, 1, 60)).Select(number => hosts.Skip(number * batch).Take(batch).Select(host =>
        {
            return signer.IssueHost(host.Name, Parsed(host).SubjectPublicKeyInfo, now, TimeSpan.FromDays(90)) with
            {
                RequestHash = CertificateQuestion.HashOf(host.Request), Installation = RandomNumberGenerator.GetHexString(32, lowercase: true),
            };
        }).ToList()).ToList();
        using var store = LiteDbStore.Open(directory);
        var revision = 0L;
        var took = TimeSpan.Zero;
        foreach (var certificates in commits)
        {
            var editor = new StateEditor(Snapshot.Empty, now);
            foreach (var certificate in certificates)
            {
                editor.Put(certificate);
                editor.Put(new Installation { Id = certificate.Installation!, Host = certificate.Host, Profile = "", Image = "", OpenedAt = now, ClosesAt = now, ClosedAt = now, ClosedBecause = "the host enrolled" });
                editor.Record(new Event { At = now, Source = EventSource.Est, Outcome = EventOutcome.Answered, Host = certificate.Host, What = $"Enrolled: certificate {certificate.Serial}", Reason = "benchmark" });
            }
            var started = Stopwatch.GetTimestamp();
            store.Commit(new Commit(++revision, editor.Writes, editor.Events, [], Durable: true));
            // The first ones are compiled while they run.
            if (revision > commits.Count / 3)
                took += Stopwatch.GetElapsedTime(started);
        }
        return took.TotalSeconds / (commits.Count - commits.Count / 3);
    }

    private static double TimeFlush(string file)
    {
        using var handle = File.OpenHandle(file, FileMode.Create, FileAccess.Write);
        var block = new byte[4096];
        return Time(50, i =>
        {
            RandomAccess.Write(handle, block, i * (long)block.Length);
            RandomAccess.FlushToDisk(handle);
        });
    }

    private static double Time(int times, Action<int> action)
    {
        for (var i = 0; i < times / 3; i++)
            action(i);
        // What was called thirty times is compiled anew a tenth of a second later.
        new ManualResetEventSlim().Wait(200);
        var started = Stopwatch.GetTimestamp();
        for (var i = 0; i < times; i++)
            action(i);
        return Stopwatch.GetElapsedTime(started).TotalSeconds / times;
    }
}
