using System.Diagnostics;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Provisioner.Tests.Appliance;

namespace Provisioner.Tests.Join;

/// <summary>How one run of the program ended, and what it said.</summary>
internal sealed record Run(int Exit, string Said);

/// <summary>
/// A host: a directory in place of its root, what its installation left there, and the shell and programs of its distribution. Waiting is
/// written down instead of done.
/// </summary>
internal class JoinHost : IAsyncDisposable
{
    public const string HostName = "worker-1";

    private readonly TemporaryDirectory directory = new();
    private readonly string[] shell;
    private readonly string path;

    public JoinHost(string distribution, string appliance, X509Certificate2 authority, string installation, string token)
    {
        Directory.CreateDirectory(File("etc/provisioner"));
        System.IO.File.WriteAllText(Configuration, $"APPLIANCE={appliance}\nHOST={HostName}\nINSTALLATION={installation}\n");
        System.IO.File.WriteAllText(Pinned, authority.ExportCertificatePem() + "\n");
        System.IO.File.WriteAllText(Token, token + "\n");
        System.IO.File.SetUnixFileMode(Token, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        (shell, path) = Distribution(distribution);
        AddProgram("sleep", $"#!/bin/sh\necho \"$1\" >>'{directory["slept"]}'\n");
    }

    /// <summary>Shells and tools: what is installed here, busybox alone, and OpenSSL 1.1.1 with an old curl.</summary>
    public static TheoryData<string> Distributions { get; } = ["dash", "bash", "busybox", "bullseye"];

    public string Configuration => File("etc/provisioner/join.conf");

    public string Token => File("etc/provisioner/token");

    public string Pinned => File("etc/provisioner/ca.pem");

    public string Key => File("etc/iam/pki/server.key");

    public string Certificate => File("etc/iam/pki/server.pem");

    public string State => File("var/lib/provisioner/renewal.state");

    /// <summary>What is kept between runs, but for the lock file that stays.</summary>
    public string[] StateFiles => [.. Directory.GetFileSystemEntries(File("var/lib/provisioner")).Select(file => Path.GetFileName(file)).Where(name => name != "lock")];

    /// <summary>The seconds of each wait so far.</summary>
    public int[] Slept => System.IO.File.Exists(directory["slept"]) ? [.. System.IO.File.ReadAllLines(directory["slept"]).Select(int.Parse)] : [];

    public virtual ValueTask DisposeAsync()
    {
        directory.Dispose();
        return ValueTask.CompletedTask;
    }

    public string File(string name) => directory["root/" + name];

    /// <summary>A file beside the host's root.</summary>
    public string Beside(string name) => directory[name];

    public X509Certificate2 LoadCertificate() => X509CertificateLoader.LoadCertificateFromFile(Certificate);

    /// <summary>That the key is the certificate's: what a reader of the two gets can sign.</summary>
    public void AssertPair()
    {
        using var pair = X509Certificate2.CreateFromPemFile(Certificate, Key);
        using var key = pair.GetECDsaPrivateKey()!;
        using var publicKey = pair.GetECDsaPublicKey()!;
        Assert.True(publicKey.VerifyData("x"u8.ToArray(), key.SignData("x"u8.ToArray(), HashAlgorithmName.SHA256), HashAlgorithmName.SHA256));
    }

    public void AddProgram(string name, string text)
    {
        var file = Path.Combine(directory["bin"], name);
        Directory.CreateDirectory(directory["bin"]);
        System.IO.File.Delete(file);
        System.IO.File.WriteAllText(file, text);
        System.IO.File.SetUnixFileMode(file, (UnixFileMode)0b111_101_101);
    }

    public void SetState(string key, long value) =>
        System.IO.File.WriteAllLines(State, System.IO.File.ReadAllLines(State).Select(line => line.StartsWith(key + "=", StringComparison.Ordinal) ? $"{key}={value}" : line));

    public long ReadState(string key) =>
        long.Parse(System.IO.File.ReadAllLines(State).Single(line => line.StartsWith(key + "=", StringComparison.Ordinal))[(key.Length + 1)..]);

    public Process Start(params string[] arguments) => StartProgram("provisioner-certificate", arguments);

    /// <summary>Starts one of the programs in templates/join.</summary>
    public Process StartProgram(string program, params string[] arguments)
    {
        var start = new ProcessStartInfo(shell[0], [.. shell[1..], TemplateFile(program), .. arguments])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            RedirectStandardInput = true,
        };
        start.Environment["PATH"] = path;
        start.Environment["PROVISIONER_ROOT"] = directory["root"];
        // A proxy that is not there: nothing may go through it.
        start.Environment["https_proxy"] = "http://127.0.0.1:1";
        return Process.Start(start)!;
    }

    public Task<Run> RunAsync(params string[] arguments) => EndAsync(Start(arguments));

    public static async Task<Run> EndAsync(Process process)
    {
        using (process)
        {
            using var end = new CancellationTokenSource(TimeSpan.FromMinutes(3));
            try
            {
                var output = process.StandardOutput.ReadToEndAsync(end.Token);
                var error = process.StandardError.ReadToEndAsync(end.Token);
                await process.WaitForExitAsync(end.Token);
                return new Run(process.ExitCode, await output + await error);
            }
            finally
            {
                if (!process.HasExited)
                    process.Kill(entireProcessTree: true);
            }
        }
    }

    public static string TemplateFile(string name) => Path.Combine(Repository.Root, "templates", "join", name);

    public static string? Find(string program) =>
        (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':').Select(folder => Path.Combine(folder, program)).FirstOrDefault(System.IO.File.Exists);

    private (string[] Shell, string Path) Distribution(string name)
    {
        var here = $"{directory["bin"]}:/usr/sbin:/usr/bin:/sbin:/bin";
        switch (name)
        {
            case "dash":
                return ([Require("dash")], here);
            case "bash":
                // As /bin/sh of RHEL.
                return ([Require("bash"), "--posix"], here);
            case "busybox":
                var busybox = Require("busybox");
                Directory.CreateDirectory(directory["bin"]);
                // Nothing but busybox, as Debian builds it (without flock): each applet that the program uses, and no other program of that name.
                foreach (var applet in "awk cat chmod cp cut date env find fold grep head ln mkdir mktemp mv od readlink rm sed sha256sum sort sync tail timeout tr wc sh".Split(' '))
                    System.IO.File.CreateSymbolicLink(Path.Combine(directory["bin"], applet), busybox);
                System.IO.File.CreateSymbolicLink(Path.Combine(directory["bin"], "curl"), Require("curl"));
                System.IO.File.CreateSymbolicLink(Path.Combine(directory["bin"], "openssl"), Require("openssl"));
                return ([busybox, "sh"], directory["bin"]);
            default:
                var old = Path.Combine(Repository.Root, ".cache", name);
                Assert.SkipUnless(Directory.Exists(old), $"{old} is not there: .ci/install peers brings it");
                var libraries = Directory.GetDirectories(Path.Combine(old, "usr", "lib"), "*-linux-gnu*").Single();
                foreach (var program in (string[])["curl", "openssl"])
                    AddProgram(program, $"#!/bin/sh\nLD_LIBRARY_PATH={libraries} OPENSSL_CONF={old}/etc/ssl/openssl.cnf exec {old}/usr/bin/{program} \"$@\"\n");
                return ([Require("dash")], here);
        }
    }

    public static string Require(string program)
    {
        var found = Find(program);
        Assert.SkipWhen(found is null, $"{program} is not installed");
        return found!;
    }
}
