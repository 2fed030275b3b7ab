using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Provisioner.Aws.Setup;

namespace Provisioner.ClusterPrograms;

/// <summary>What a real etcd and a real kube-apiserver are started with: tokens, RBAC and certificates, and nothing else of a cluster. The tests and the lab share it.</summary>
/// <param name="Directory">For its files.</param>
/// <param name="Address">Where the API is served. etcd is on loopback.</param>
internal sealed record KubeApiSetup(string Directory, IPAddress Address, int Port, int EtcdPort, int EtcdPeerPort)
{
    public const string AdminToken = "admin-token";

    public const string ApplianceToken = "appliance-token";

    /// <summary>Set by test.sh once it has installed everything: what is missing then is a failure and not a reason to skip.</summary>
    private const string RequiredVariable = "PROVISIONER_KUBERNETES_REQUIRED";

    public static string ServerProgram { get; } = Path.Combine(Repository(), ".cache", "kubernetes", "kube-apiserver");

    public static string? EtcdProgram { get; } = new[] { "/usr/bin/etcd", "/usr/sbin/etcd", "/usr/local/bin/etcd" }.FirstOrDefault(File.Exists);

    public IEnumerable<string> EtcdArguments =>
    [
        "--data-dir", Path.Combine(Directory, "etcd"), "--listen-client-urls", EtcdUrl, "--advertise-client-urls", EtcdUrl,
        "--listen-peer-urls", $"http://127.0.0.1:{EtcdPeerPort}", "--initial-advertise-peer-urls", $"http://127.0.0.1:{EtcdPeerPort}",
        "--initial-cluster", $"default=http://127.0.0.1:{EtcdPeerPort}", "--logger", "zap", "--log-outputs", "stderr",
    ];

    public IEnumerable<string> ServerArguments =>
    [
        $"--etcd-servers={EtcdUrl}", $"--bind-address={Address}", $"--secure-port={Port}", "--insecure-port=0", $"--advertise-address={Address}",
        "--endpoint-reconciler-type=none", $"--tls-cert-file={Directory}/server.pem", $"--tls-private-key-file={Directory}/server.key",
        $"--token-auth-file={Directory}/tokens.csv", "--authorization-mode=Node,RBAC", "--enable-admission-plugins=NodeRestriction", "--disable-admission-plugins=ServiceAccount",
        "--service-account-issuer=https://kubernetes.default.svc", $"--service-account-signing-key-file={Directory}/account.key", $"--service-account-key-file={Directory}/account.key",
        "--service-cluster-ip-range=10.96.0.0/16", $"--cert-dir={Directory}", "--etcd-compaction-interval=0", "--profiling=false",
    ];

    public string EtcdUrl => $"http://127.0.0.1:{EtcdPort}";

    /// <summary>Skips the running test where there is none, unless it has to be there.</summary>
    public static void SkipWithout()
    {
        var missing = !File.Exists(ServerProgram) ? $"there is no {ServerProgram}" : EtcdProgram is null ? "etcd is not installed (package etcd-server)" : null;
        if (missing is null)
            return;
        if (Environment.GetEnvironmentVariable(RequiredVariable) is { Length: > 0 })
            Assert.Fail($"A Kubernetes API server must run here, and cannot: {missing}");
        Assert.Skip($"{missing}; '.ci/install kubernetes' builds and installs what this needs");
    }

    /// <summary>Makes the cluster's authority, its API server's certificate for that address and these names, the key of service accounts, and the tokens.</summary>
    /// <returns>The authority, without its key.</returns>
    public X509Certificate2 WriteFiles(params string[] dnsNames)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("CN=kubernetes", key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(true, false, 0, true));
        var from = TimeProvider.System.GetUtcNow().AddHours(-1);
        using var signing = request.CreateSelfSigned(from, from.AddDays(2));
        using var serverKey = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var serverRequest = new CertificateRequest("CN=kube-apiserver", serverKey, HashAlgorithmName.SHA256);
        var names = new SubjectAlternativeNameBuilder();
        names.AddIpAddress(Address);
        foreach (var name in dnsNames)
            names.AddDnsName(name);
        serverRequest.CertificateExtensions.Add(names.Build());
        using var certificate = serverRequest.Create(signing, from, from.AddDays(1), RandomNumberGenerator.GetBytes(8));
        using var accountKey = RSA.Create(2048);
        File.WriteAllText(Path.Combine(Directory, "server.pem"), certificate.ExportCertificatePem());
        File.WriteAllText(Path.Combine(Directory, "server.key"), serverKey.ExportECPrivateKeyPem());
        File.WriteAllText(Path.Combine(Directory, "account.key"), accountKey.ExportRSAPrivateKeyPem());
        File.WriteAllText(Path.Combine(Directory, "tokens.csv"), $"""
            {AdminToken},admin,admin,"system:masters"
            {ApplianceToken},appliance,appliance,{AwsPlan.Group}
            node-token,system:node:web-1,web-1,"system:nodes"

            """);
        return X509CertificateLoader.LoadCertificate(signing.RawData);
    }

    /// <summary>Trusts a cluster's own authority and no other.</summary>
    public static X509ChainPolicy Trusting(X509Certificate2 authority)
    {
        var policy = new X509ChainPolicy { TrustMode = X509ChainTrustMode.CustomRootTrust, RevocationMode = X509RevocationMode.NoCheck };
        policy.CustomTrustStore.Add(authority);
        return policy;
    }

    private static string Repository()
    {
        for (var at = AppContext.BaseDirectory; at is not null; at = Path.GetDirectoryName(at))
        {
            if (File.Exists(Path.Combine(at, "Provisioner.sln")))
                return at;
        }
        return Environment.CurrentDirectory;
    }
}
