using System.Runtime.CompilerServices;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Provisioner.Certificates;
using Provisioner.Certificates.Keys;
using Provisioner.Tests.Appliance;
using Provisioner.Tests.Certificates.Keys;

namespace Provisioner.Tests.Certificates;

/// <summary>Clients of EST that were made for other servers, or for none.</summary>
public sealed class ForeignClientTests
{
    private const string Jars = "/usr/share/java/", Java = "/usr/bin/java";

    [Theory]
    [InlineData("here", KeyAlgorithm.EcP256)]
    [InlineData("here", KeyAlgorithm.EcP384)]
    [InlineData("here", KeyAlgorithm.Rsa3072)]
    [InlineData("bullseye", KeyAlgorithm.EcP256)]
    [InlineData("bullseye", KeyAlgorithm.EcP384)]
    [InlineData("bullseye", KeyAlgorithm.Rsa3072)]
    public async Task Openssl_and_curl_are_all_it_takes(string distribution, KeyAlgorithm algorithm)
    {
        var programs = HostPrograms.Of(distribution);
        await using var site = await CertificateFixture.StartAsync(new CertificateOptions { Algorithm = algorithm });
        using var directory = new TemporaryDirectory();
        var authority = directory["ca.pem"];
        // As a host gets it that trusts the boot plane: nobody should, but then it is to be the right one.
        programs.Curl("/dev/null", "--fail", "--output", authority, $"http://127.0.0.1:{site.Appliance.BootPort}/ca.pem");
        Assert.Equal(PemEncoding.WriteString("CERTIFICATE", site.Appliance.Snapshot.IssuingAuthority!.Der!), (await File.ReadAllTextAsync(authority)).Trim());

        foreach (var (tls, http) in new[] { ("1.2", "1.1"), ("1.2", "2"), ("1.3", "1.1"), ("1.3", "2") })
        {
            var name = $"host-{tls}-{http}".Replace('.', '-');
            await site.RegisterAsync(name);
            var token = await site.TokenAsync(name);
            // Not as an argument, which everybody can read.
            await File.WriteAllTextAsync(directory["user.conf"], $"user = \"{token.Installation}:{token.Token}\"\n");

            Assert.Equal("200 application/pkcs7-mime", Ask("cacerts", "cacerts"));
            Assert.Equal([site.Appliance.Snapshot.IssuingAuthority!.Subject], Subjects(directory["cacerts.pem"]));
            Assert.Equal("200 application/csrattrs", Ask("csrattrs", "csrattrs"));
            Assert.Contains("prime256v1", programs.Openssl("asn1parse", "-inform", "DER", "-in", directory["csrattrs.der"]), StringComparison.Ordinal);

            NewKey("first");
            Assert.Equal("401 ", Ask("simpleenroll", "challenged", Request("first")));
            Assert.Equal("200 application/pkcs7-mime; smime-type=certs-only", Ask("simpleenroll", "enrolled", [.. Request("first", withDnsName: false), "--config", directory["user.conf"]]));
            AssertIssued("enrolled", "first");

            Assert.Equal("403 text/plain; charset=utf-8", Ask("simplereenroll", "refused", Request("first")));
            Assert.Equal("a client certificate is needed: the one to renew\n", await File.ReadAllTextAsync(directory["refused.b64"]));
            Assert.Equal("200 application/pkcs7-mime; smime-type=certs-only", Ask("simplereenroll", "renewed", [.. Request("first"), .. As("enrolled", "first")]));
            AssertIssued("renewed", "first");
            NewKey("second");
            Assert.Equal("200 application/pkcs7-mime; smime-type=certs-only", Ask("simplereenroll", "rekeyed", [.. Request("second"), .. As("renewed", "first")]));
            AssertIssued("rekeyed", "second");
            Assert.Equal(3, new[] { "enrolled", "renewed", "rekeyed" }.Select(one => File.ReadAllText(directory[$"{one}.pem"])).Distinct().Count());

            void NewKey(string key) => programs.Openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", directory[$"{key}.key"]);

            // RFC 7030 §4.2.2: a renewal names what the certificate names, while the first request may say less.
            string[] Request(string key, bool withDnsName = true)
            {
                programs.Openssl(["req", "-new", "-sha256", "-subj", $"/CN={name}", .. withDnsName ? ["-addext", $"subjectAltName=DNS:{name}"] : (string[])[], "-key", directory[$"{key}.key"], "-outform", "DER", "-out", directory[$"{key}.der"]]);
                programs.Openssl("base64", "-in", directory[$"{key}.der"], "-out", directory[$"{key}.b64"]);
                return ["--data-binary", $"@{directory[$"{key}.b64"]}", "--header", "Content-Type: application/pkcs10"];
            }

            string[] As(string certificate, string key) => ["--cert", directory[$"{certificate}.pem"], "--key", directory[$"{key}.key"]];

            // The status and the type; what was answered is unpacked.
            string Ask(string operation, string into, params string[] more)
            {
                var said = programs.Curl(authority, [$"--tlsv{tls}", "--tls-max", tls, $"--http{http}", "--output", directory[$"{into}.b64"],
                    "--write-out", "%{http_version} %{http_code} %{content_type}", .. more, $"https://localhost:{site.Appliance.SecurePort}/.well-known/est/{operation}"]);
                Assert.StartsWith(http + " ", said, StringComparison.Ordinal);
                if (said.Contains(" 200 ", StringComparison.Ordinal))
                {
                    programs.Openssl("base64", "-d", "-in", directory[$"{into}.b64"], "-out", directory[$"{into}.der"]);
                    if (operation != "csrattrs")
                        programs.Openssl("pkcs7", "-inform", "DER", "-in", directory[$"{into}.der"], "-print_certs", "-out", directory[$"{into}.pem"]);
                }
                return said[(http.Length + 1)..];
            }

            void AssertIssued(string certificate, string key)
            {
                var file = directory[$"{certificate}.pem"];
                Assert.Equal([$"CN={name}"], Subjects(file));
                Assert.Equal($"{file}: OK\n", programs.Openssl("verify", "-x509_strict", "-purpose", "sslclient", "-CAfile", authority, file));
                Assert.Equal(programs.Openssl("pkey", "-in", directory[$"{key}.key"], "-pubout"), programs.Openssl("x509", "-in", file, "-noout", "-pubkey"));
            }
        }
    }

    [Theory]
    [InlineData("TLSv1.2", KeyAlgorithm.EcP256)]
    [InlineData("TLSv1.3", KeyAlgorithm.EcP384)]
    [InlineData("TLSv1.3", KeyAlgorithm.Rsa3072)]
    public async Task BouncyCastle_enrols_and_renews(string tls, KeyAlgorithm algorithm)
    {
        var jars = new[] { "bcpkix", "bcprov", "bcutil" }.Select(jar => $"{Jars}{jar}.jar").ToArray();
        Tool.SkipWithout([Java, .. jars]);
        await using var site = await CertificateFixture.StartAsync(new CertificateOptions { Algorithm = algorithm });
        await site.RegisterAsync("web-1");
        var token = await site.TokenAsync("web-1");
        using var directory = new TemporaryDirectory();
        await File.WriteAllTextAsync(directory["ca.pem"], PemEncoding.WriteString("CERTIFICATE", site.Appliance.Snapshot.IssuingAuthority!.Der!));

        var (code, output) = Tool.Try(Java, null, string.Join('\n', $"localhost:{site.Appliance.SecurePort}", directory["ca.pem"], tls, "web-1", token.Installation, token.Token) + "\n",
            ["-XX:TieredStopAtLevel=1", "-cp", string.Join(':', jars), Beside("EstClient.java")]);

        Assert.True(code == 0, output);
        var said = output.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => line.Split(' ', 2)).ToLookup(parts => parts[0], parts => parts[1]);
        Assert.Equal("true", Assert.Single(said["trusted"]));
        Assert.Equal(site.Appliance.Snapshot.IssuingAuthority!.Der, Convert.FromBase64String(Assert.Single(said["authority"])));
        Assert.Equal(["1.2.840.10045.2.1", "1.2.840.10045.4.3.2"], said["attribute"].Order());
        Assert.Equal("401", Assert.Single(said["wrong-token"]));
        var certificates = new[] { "enrolled", "renewed", "rekeyed" }.Select(what => X509CertificateLoader.LoadCertificate(Convert.FromBase64String(said[what].Single()))).ToList();
        Assert.Equal([null, site.Recorded(certificates[0]).Serial, site.Recorded(certificates[1]).Serial], certificates.Select(c => site.Recorded(c).Renews));
        Assert.Equal(certificates[0].PublicKey.ExportSubjectPublicKeyInfo(), certificates[1].PublicKey.ExportSubjectPublicKeyInfo());
        Assert.Equal(Convert.FromBase64String(said["another"].Single()), certificates[2].PublicKey.ExportSubjectPublicKeyInfo());
    }

    private static string[] Subjects(string file)
    {
        var certificates = new X509Certificate2Collection();
        certificates.ImportFromPemFile(file);
        return [.. certificates.Select(c => c.Subject)];
    }

    private static string Beside(string name, [CallerFilePath] string here = "") => Path.Combine(Path.GetDirectoryName(here)!, name);
}
