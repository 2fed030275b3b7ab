using System.Diagnostics;

namespace Provisioner.Tests.Boot.Tftp;

/// <summary>The clients people use, against the server on a loopback port.</summary>
public sealed class TftpRealClientTests : IDisposable
{
    private readonly TftpFixture tftp = new();
    private readonly DirectoryInfo directory = Directory.CreateTempSubdirectory("tftp-clients");

    private string Target => Path.Combine(directory.FullName, "got");

    public void Dispose()
    {
        tftp.Dispose();
        directory.Delete(recursive: true);
    }

    [Theory]
    [InlineData("")]
    [InlineData("--tftp-blksize 1428")]
    [InlineData("--tftp-blksize 65464")]
    [InlineData("--tftp-no-options")]
    public async Task Curl(string options)
    {
        var content = tftp.AddFile("pool/file.bin", 3_000_000);
        await Run("curl", $"-sS --max-time 60 {options} -o {Target} tftp://127.0.0.1:{tftp.Server.Port}/pool/file.bin");
        Assert.Equal(content, File.ReadAllBytes(Target));
        Assert.Contains(options.Contains("1428", StringComparison.Ordinal) ? "blksize 1428 windowsize 1" : options.Contains("65464", StringComparison.Ordinal) ? "blksize 1468" : "blksize 512",
            (await tftp.NextEvent()).What, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Curl_in_netascii()
    {
        tftp.AddMemory("text", 0, "one\ntwo\n"u8.ToArray());
        await Run("curl", $"-sS --max-time 60 -B -o {Target} tftp://127.0.0.1:{tftp.Server.Port}/text;mode=netascii");
        Assert.Equal("one\r\ntwo\r\n", File.ReadAllText(Target));
    }

    [Theory]
    [InlineData("")]
    [InlineData("--option|blksize 1428|--option|tsize 0|--option|timeout 3")]
    [InlineData("--option|windowsize 8")]
    [InlineData("--option|blksize 1428|--option|windowsize 16")]
    [InlineData("--option|blksize 1024|--option|windowsize 64")]
    public async Task Atftp(string options)
    {
        var content = tftp.AddFile("file.bin", 3_000_000);
        await Run("atftp", [.. options.Split('|', StringSplitOptions.RemoveEmptyEntries), "-g", "-r", "file.bin", "-l", Target, "127.0.0.1", $"{tftp.Server.Port}"]);
        Assert.Equal(content, File.ReadAllBytes(Target));
        var what = (await tftp.NextEvent()).What;
        foreach (var option in options.Split('|').Where(o => o.StartsWith("windowsize", StringComparison.Ordinal) || o.StartsWith("blksize", StringComparison.Ordinal)))
            Assert.Contains(option, what, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("")]
    [InlineData("-b 1428")]
    [InlineData("-b 400")]
    public async Task Busybox(string options)
    {
        var content = tftp.AddFile("file.bin", 1_000_000);
        await Run("busybox", $"tftp -g {options} -r file.bin -l {Target} 127.0.0.1 {tftp.Server.Port}");
        Assert.Equal(content, File.ReadAllBytes(Target));
    }

    [Fact]
    public async Task Tftp_hpa()
    {
        var content = tftp.AddFile("file.bin", 1_000_000);
        await Run("tftp", $"-m binary 127.0.0.1 {tftp.Server.Port} -c get file.bin {Target}", "hpa");
        Assert.Equal(content, File.ReadAllBytes(Target));
    }

    [Fact]
    public async Task Tftp_hpa_in_netascii()
    {
        tftp.AddMemory("text", 0, "one\ntwo\r\n"u8.ToArray());
        await Run("tftp", $"-m ascii 127.0.0.1 {tftp.Server.Port} -c get text {Target}", "hpa");
        Assert.Equal("one\ntwo\r\n", File.ReadAllText(Target));
    }

    [Fact]
    public async Task Curl_is_told_that_there_is_no_such_file()
    {
        var (exit, _) = await Start("curl", ["-sS", "--max-time", "20", "-o", Target, $"tftp://127.0.0.1:{tftp.Server.Port}/none"]);
        // 68: TFTP, file not found.
        Assert.Equal(68, exit);
    }

    [Fact]
    public async Task Curl_may_not_write()
    {
        File.WriteAllText(Target, "x");
        var (exit, _) = await Start("curl", ["-sS", "--max-time", "20", "-T", Target, $"tftp://127.0.0.1:{tftp.Server.Port}/none"]);
        // 69: TFTP, access violation.
        Assert.Equal(69, exit);
        Assert.Equal("this server is read only", (await tftp.NextEvent()).Reason);
        Assert.Empty(tftp.Asked);
    }

    private static Task Run(string program, string arguments, string? expectedVersion = null) => Run(program, arguments.Split(' ', StringSplitOptions.RemoveEmptyEntries), expectedVersion);

    private static async Task Run(string program, string[] arguments, string? expectedVersion = null)
    {
        if (expectedVersion is not null)
        {
            var (_, version) = await Start(program, ["-V"]);
            Assert.SkipUnless(version.Contains(expectedVersion, StringComparison.Ordinal), $"{program} here is not the {expectedVersion} one");
        }
        var (exit, output) = await Start(program, arguments);
        Assert.True(exit == 0, $"{program} ended with {exit}: {output}");
    }

    private static async Task<(int Exit, string Output)> Start(string program, string[] arguments)
    {
        var found = (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':').Any(folder => File.Exists(Path.Combine(folder, program)));
        Assert.SkipUnless(found, $"{program} is not installed");
        using var process = Process.Start(new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true, RedirectStandardError = true, UseShellExecute = false })!;
        using var end = new CancellationTokenSource(TimeSpan.FromSeconds(60));
        try
        {
            var output = process.StandardOutput.ReadToEndAsync(end.Token);
            var error = process.StandardError.ReadToEndAsync(end.Token);
            await process.WaitForExitAsync(end.Token);
            return (process.ExitCode, await output + await error);
        }
        finally
        {
            if (!process.HasExited)
                process.Kill();
        }
    }
}
