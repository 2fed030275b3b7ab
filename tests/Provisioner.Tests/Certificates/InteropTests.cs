using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text.Json.Nodes;
using Microsoft.Extensions.DependencyInjection;
using Provisioner.Certificates;
using Provisioner.Certificates.Keys;
using Provisioner.Tests.Appliance;
using Provisioner.Tests.Certificates.Keys;

namespace Provisioner.Tests.Certificates;

/// <summary>What the service signs, as programs that know nothing of it judge it: OpenSSL, and zlint by the letter of RFC 5280.</summary>
public sealed class InteropTests
{
    public static TheoryData<KeyAlgorithm> Algorithms { get; } = [KeyAlgorithm.EcP256, KeyAlgorithm.EcP384, KeyAlgorithm.Rsa3072];

    [Theory]
    [MemberData(nameof(Algorithms))]
    public async Task OpenSSL_verifies_certificates_and_revocation_lists(KeyAlgorithm algorithm)
    {
        var programs = HostPrograms.Here();
        await using var site = await CertificateFixture.StartAsync(new CertificateOptions { Algorithm = algorithm });
        using var directory = new TemporaryDirectory();
        var authority = Write(directory, "ca.pem", site.Appliance.Snapshot.IssuingAuthority!.Der!);
        var hosts = await IssueAsync(site);
        var files = hosts.Select(host => Write(directory, $"{host.Key}.pem", host.Value.RawData)).ToList();
        var server = Write(directory, "server.pem", ServerCertificate(site).RawData);

        Assert.Equal($"{authority}: OK\n", programs.Openssl("verify", "-x509_strict", "-check_ss_sig", "-CAfile", authority, authority));
        var verify = (string[])["verify", "-x509_strict", "-no-CApath", "-no-CAstore", "-CAfile", authority];
        Assert.Equal(files.Select(f => $"{f}: OK\n"), Lines(programs.Openssl([.. verify, "-purpose", "sslclient", .. files])).Select(l => l + "\n"));
        Assert.Equal($"{server}: OK\n", programs.Openssl([.. verify, "-purpose", "sslserver", "-verify_hostname", "localhost", "-verify_ip", "127.0.0.1", server]));
        // Neither is good for what it is not meant for.
        Assert.Contains("unsuitable certificate purpose", programs.TryOpenssl([.. verify, "-purpose", "sslserver", files[0]]).Output, StringComparison.OrdinalIgnoreCase);
        Assert.Contains("unsuitable certificate purpose", programs.TryOpenssl([.. verify, "-purpose", "sslclient", server]).Output, StringComparison.OrdinalIgnoreCase);

        // As many with the serial's first bit set as without.
        var revoked = hosts.Where(h => IsHigh(h.Value)).Take(3).Concat(hosts.Where(h => !IsHigh(h.Value)).Take(3)).ToList();
        var (der, list) = (directory["crl.der"], directory["crl.pem"]);
        FetchList();
        Assert.All(files, f => Assert.True(programs.TryOpenssl([.. verify, "-crl_check", "-CRLfile", list, f]).Code == 0, f));
        foreach (var (name, _) in revoked)
            (await site.Appliance.RunAsync("ca", "revoke", name, "--reason", "keyCompromise")).Succeeded();
        FetchList();

        var text = programs.Openssl("crl", "-inform", "DER", "-in", der, "-noout", "-text");
        Assert.Contains("Version 2 (0x1)", text, StringComparison.Ordinal);
        Assert.Equal(revoked.Select(r => SerialOf(r.Value)).Order(), Lines(text).Where(l => l.Contains("Serial Number:", StringComparison.Ordinal)).Select(l => l.Split(':')[1].Trim()).Order());
        Assert.Equal(revoked.Count, Lines(text).Count(l => l.Trim() == "Key Compromise"));
        Assert.Equal(["X509v3 Authority Key Identifier:", "X509v3 CRL Number:"], Lines(text).Where(l => l.StartsWith("            X509v3", StringComparison.Ordinal) && !l.Contains("Reason", StringComparison.Ordinal)).Select(l => l.Trim()).Order());
        foreach (var (name, certificate) in hosts)
        {
            var (code, output) = programs.TryOpenssl([.. verify, "-crl_check", "-CRLfile", list, directory[$"{name}.pem"]]);
            if (revoked.Any(r => r.Key == name))
                Assert.True(code != 0 && output.Contains("certificate revoked", StringComparison.Ordinal), $"{certificate.SerialNumber}: {output}");
            else
                Assert.True(code == 0, $"{certificate.SerialNumber}: {output}");
        }

        void FetchList()
        {
            programs.Curl(authority, "--fail", "--output", der, $"http://127.0.0.1:{site.Appliance.BootPort}/crl");
            // It ends with 0 whatever it found; what it says counts.
            Assert.Contains("verify OK", programs.Openssl("crl", "-inform", "DER", "-in", der, "-CAfile", authority, "-noout", "-verify"), StringComparison.Ordinal);
            programs.Openssl("crl", "-inform", "DER", "-in", der, "-out", list);
        }
    }

    [Theory]
    [MemberData(nameof(Algorithms))]
    public async Task OpenSSL_shows_the_profile_and_nothing_more(KeyAlgorithm algorithm)
    {
        var programs = HostPrograms.Here();
        await using var site = await CertificateFixture.StartAsync(new CertificateOptions { Algorithm = algorithm });
        using var directory = new TemporaryDirectory();
        using var host = await site.EnrolAsync("web-1");
        var ca = site.Appliance.Snapshot.IssuingAuthority!.Der!;
        var (authority, leaf, server) = (Shown(programs, Write(directory, "ca.pem", ca)), Shown(programs, Write(directory, "web-1.pem", host.RawData)), Shown(programs, Write(directory, "server.pem", ServerCertificate(site).RawData)));

        Assert.Equal(
        [
            "X509v3 Basic Constraints: critical", "CA:TRUE, pathlen:0",
            "X509v3 Key Usage: critical", "Certificate Sign, CRL Sign",
            "X509v3 Subject Key Identifier:", authority.KeyIdentifier,
        ], authority.Extensions);
        Assert.Equal(
        [
            "X509v3 Basic Constraints: critical", "CA:FALSE",
            "X509v3 Key Usage: critical", "Digital Signature",
            "X509v3 Extended Key Usage:", "TLS Web Client Authentication",
            "X509v3 Subject Alternative Name:", "DNS:web-1",
            "X509v3 Subject Key Identifier:", leaf.KeyIdentifier,
            "X509v3 Authority Key Identifier:", authority.KeyIdentifier,
        ], leaf.Extensions);
        Assert.Equal(
        [
            "X509v3 Basic Constraints: critical", "CA:FALSE",
            "X509v3 Key Usage: critical", "Digital Signature",
            "X509v3 Extended Key Usage:", "TLS Web Server Authentication",
            "X509v3 Subject Alternative Name:", server.Extensions[7],
            "X509v3 Subject Key Identifier:", server.KeyIdentifier,
            "X509v3 Authority Key Identifier:", authority.KeyIdentifier,
        ], server.Extensions);
        Assert.Contains("DNS:localhost", server.Extensions[7], StringComparison.Ordinal);
        Assert.Contains("IP Address:127.0.0.1", server.Extensions[7], StringComparison.Ordinal);
        var signature = algorithm switch { KeyAlgorithm.EcP256 => "ecdsa-with-SHA256", KeyAlgorithm.EcP384 => "ecdsa-with-SHA384", _ => "sha256WithRSAEncryption" };
        foreach (var (shown, name) in new[] { (authority, authority.Subject), (leaf, "CN = web-1"), (server, server.Subject) })
        {
            Assert.Equal(("3 (0x2)", signature, authority.Subject, name), (shown.Version, shown.Signature, shown.Issuer, shown.Subject));
            // Positive, with 128 random bits less a first octet of zero.
            Assert.Matches("^(?!00)([0-9a-f]{2}:){15}[0-9a-f]{2}$", shown.Serial);
        }
        var key = algorithm switch { KeyAlgorithm.EcP256 => "NIST CURVE: P-256", KeyAlgorithm.EcP384 => "NIST CURVE: P-384", _ => "Public-Key: (3072 bit)" };
        Assert.Contains(key, authority.Text, StringComparison.Ordinal);
        Assert.Contains("NIST CURVE: P-256", leaf.Text, StringComparison.Ordinal);
    }

    [Theory]
    [MemberData(nameof(Algorithms))]
    public async Task Zlint_finds_nothing(KeyAlgorithm algorithm)
    {
        var zlint = Path.Combine(HostPrograms.Cached("trixie"), "usr/bin/zlint");
        Tool.SkipWithout(zlint);
        await using var site = await CertificateFixture.StartAsync(new CertificateOptions { Algorithm = algorithm });
        using var directory = new TemporaryDirectory();
        using var host = await site.EnrolAsync("web-1");
        using var gone = await site.EnrolAsync("web-2");
        // As long as a common name may be.
        using var far = await site.EnrolAsync("a-name-of-the-most-characters-that-fits.rack-17.dc-2.example.com");
        using var rsa = RSA.Create(2048);
        await site.RegisterAsync("web-3");
        using var withRsa = (await new EstClient(site.Appliance).EnrolAsync(await site.TokenAsync("web-3"), EstClient.Request(rsa, "web-3"))).Certificate();
        var empty = site.Appliance.Services.GetRequiredService<RevocationLists>().Present!.Pem;
        (await site.Appliance.RunAsync("ca", "revoke", "web-2", "--reason", "keyCompromise")).Succeeded();
        var list = site.Appliance.Services.GetRequiredService<RevocationLists>().Present!.Pem;
        await File.WriteAllTextAsync(directory["empty.pem"], empty);
        await File.WriteAllTextAsync(directory["crl.pem"], list);
        foreach (var (name, der) in new[] { ("ca", site.Appliance.Snapshot.IssuingAuthority!.Der!), ("host", host.RawData), ("far", far.RawData), ("rsa", withRsa.RawData), ("server", ServerCertificate(site).RawData) })
            Write(directory, $"{name}.pem", der);

        foreach (var name in new[] { "ca", "host", "far", "rsa", "server", "crl", "empty" })
        {
            // RFC 5280, 3279, 5480, 5891 and 8813, and what people of the trade found besides; not what the public web's authorities agreed on.
            var found = JsonNode.Parse(Tool.Run(zlint, "-excludeSources", "CABF_BR,CABF_EV,CABF_SMIME_BR,ETSI_ESI,Mozilla,Apple",
                "-excludeNames", "n_san_iana_pub_suffix_empty", directory[$"{name}.pem"]))!.AsObject();
            var results = found.Select(lint => (Lint: lint.Key, Result: lint.Value!["result"]!.GetValue<string>())).ToList();
            Assert.True(results.Count(r => r.Result == "pass") > (name is "crl" or "empty" ? 0 : 20), $"{name}: {found.ToJsonString()}");
            Assert.All(results, r => Assert.True(r.Result is "pass" or "NA" or "NE", $"{name}: {r.Lint} {r.Result}"));
        }
    }

    /// <summary>Hosts with certificates, until there are three with the serial's first bit set and three without.</summary>
    private static async Task<Dictionary<string, X509Certificate2>> IssueAsync(CertificateFixture site)
    {
        var issued = new Dictionary<string, X509Certificate2>();
        while (issued.Values.Count(IsHigh) < 4 || issued.Values.Count(c => !IsHigh(c)) < 4)
        {
            Assert.True(issued.Count < 100, "serials are not random");
            issued[$"web-{issued.Count}"] = await site.EnrolAsync($"web-{issued.Count}");
        }
        return issued;
    }

    private static bool IsHigh(X509Certificate2 certificate) => SerialOf(certificate)[0] >= '8';

    // As OpenSSL writes it: without the octet for the sign.
    private static string SerialOf(X509Certificate2 certificate) => Convert.ToHexString(certificate.SerialNumberBytes.Span.TrimStart((byte)0));

    private static X509Certificate2 ServerCertificate(CertificateFixture site) => site.Appliance.Services.GetRequiredService<ServerIdentity>().Context!.TargetCertificate;

    private static string Write(TemporaryDirectory directory, string name, byte[] der)
    {
        File.WriteAllText(directory[name], PemEncoding.WriteString("CERTIFICATE", der) + "\n");
        return directory[name];
    }

    private static string[] Lines(string text) => text.Split('\n', StringSplitOptions.RemoveEmptyEntries);

    private static ShownCertificate Shown(HostPrograms programs, string file)
    {
        var text = programs.Openssl("x509", "-in", file, "-noout", "-text");
        var lines = Lines(text).Select(l => l.Trim()).ToList();
        string After(string start) => lines.First(l => l.StartsWith(start, StringComparison.Ordinal))[start.Length..].Trim();
        var extensions = lines.Skip(lines.IndexOf("X509v3 extensions:") + 1).TakeWhile(l => !l.StartsWith("Signature Algorithm:", StringComparison.Ordinal)).ToList();
        return new ShownCertificate(text, After("Version:"), lines[lines.IndexOf("Serial Number:") + 1], After("Signature Algorithm:"), After("Issuer:"), After("Subject:"),
            extensions, extensions[extensions.IndexOf("X509v3 Subject Key Identifier:") + 1]);
    }

    private sealed record ShownCertificate(
        string Text, string Version, string Serial, string Signature, string Issuer, string Subject, IReadOnlyList<string> Extensions, string KeyIdentifier);
}
