using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using Provisioner.Boot;
using Provisioner.Certificates;
using Provisioner.Hosts;
using Provisioner.Protocols;
using Provisioner.Protocols.Est;
using Provisioner.Resources;
using Provisioner.Storage;
using Host = Provisioner.Hosts.Host;

namespace Provisioner.Benchmarks.Enrolment;

/// <summary>A host that is registered and has its key, its one-time token and its whole request ready to send.</summary>
/// <param name="Request">PKCS#10, DER.</param>
/// <param name="PublicKey">SubjectPublicKeyInfo, DER.</param>
/// <param name="Message">The HTTP request, from its first octet to its last.</param>
internal sealed record WaitingHost(string Name, byte[] Request, byte[] PublicKey, byte[] Message)
{
    /// <summary>Makes so many hosts, with keys of their own, and registers them in a data directory that no service has open.</summary>
    public static List<WaitingHost> Register(string data, int count)
    {
        var hosts = new List<(WaitingHost Host, Installation Installation)>(count);
        var now = TimeProvider.System.GetUtcNow();
        for (var i = 0; i < count; i++)
            hosts.Add(Make($"node{i:d5}.rack.example", now));
        using var store = LiteDbStore.Open(data);
        var editor = new StateEditor(store.LoadSnapshot(), now);
        foreach (var (host, installation) in hosts)
        {
            editor.Put(new Host(new Metadata(host.Name), new HostSpec
            {
                MacAddresses = [new MacAddress(0x5254_0000_0000UL + (ulong)editor.Snapshot.Hosts.Count)],
                Architecture = CpuArchitecture.X64,
            }));
            editor.Put(installation);
        }
        store.Commit(new Commit(1, editor.Writes, [], [], Durable: true));
        return hosts.ConvertAll(h => h.Host);
    }

    /// <summary>Whether an answer's body is a certificate for this host's key and name.</summary>
    public bool IsCertifiedBy(byte[] body)
    {
        if (!EstMessage.TryDecode(body, out var der, out _))
            return false;
        var certificates = new X509Certificate2Collection();
#pragma warning disable SYSLIB0057 // X509CertificateLoader reads no PKCS#7, and these bytes are our own service's.
        certificates.Import(der);
#pragma warning restore SYSLIB0057
        return certificates.Count == 1 && certificates[0].PublicKey.ExportSubjectPublicKeyInfo().AsSpan().SequenceEqual(PublicKey)
            && certificates[0].GetNameInfo(X509NameType.DnsName, forIssuer: false) == Name;
    }

    private static (WaitingHost Host, Installation Installation) Make(string name, DateTimeOffset now)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var asked = new CertificateRequest(new X500DistinguishedName($"CN={name}"), key, HashAlgorithmName.SHA256);
        var names = new SubjectAlternativeNameBuilder();
        names.AddDnsName(name);
        asked.CertificateExtensions.Add(names.Build());
        var request = asked.CreateSigningRequest();
        var token = EnrolmentToken.Create();
        var installation = new Installation
        {
            Id = RandomNumberGenerator.GetHexString(32, lowercase: true),
            Host = name,
            Profile = "",
            Image = "",
            OpenedAt = now,
            ClosesAt = now + HostChanges.DefaultWindow,
            EnrolOnly = true,
            TokenHashes = [EnrolmentToken.Hash(token)],
        };
        var body = EstMessage.Encode(request);
        var credentials = Convert.ToBase64String(Encoding.ASCII.GetBytes($"{installation.Id}:{token}"));
        var head = $"POST /.well-known/est/simpleenroll HTTP/1.1\r\nHost: localhost\r\nAuthorization: Basic {credentials}\r\n"
            + $"Content-Type: application/pkcs10\r\nContent-Length: {body.Length}\r\n\r\n";
        return (new WaitingHost(name, request, key.ExportSubjectPublicKeyInfo(), [.. Encoding.ASCII.GetBytes(head), .. body]), installation);
    }
}
