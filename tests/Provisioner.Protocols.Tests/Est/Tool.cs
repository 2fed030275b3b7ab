using System.Diagnostics;

namespace Provisioner.Protocols.Tests.Est;

/// <summary>A program of the system that reads or writes the same formats.</summary>
internal static class Tool
{
    /// <summary>Runs it and gives what it wrote; the test is skipped where it is not installed, and fails where it fails.</summary>
    public static async Task<byte[]> Run(byte[] input, string program, params string[] arguments)
    {
        var found = (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':').Any(folder => File.Exists(Path.Combine(folder, program)));
        Assert.SkipUnless(found, $"{program} is not installed");
        using var process = Process.Start(new ProcessStartInfo(program, arguments)
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            UseShellExecute = false,
        })!;
        using var end = new CancellationTokenSource(TimeSpan.FromSeconds(60));
        using var output = new MemoryStream();
        try
        {
            var reading = process.StandardOutput.BaseStream.CopyToAsync(output, end.Token);
            var error = process.StandardError.ReadToEndAsync(end.Token);
            await process.StandardInput.BaseStream.WriteAsync(input, end.Token);
            process.StandardInput.Close();
            await reading;
            await process.WaitForExitAsync(end.Token);
            Assert.True(process.ExitCode == 0, $"{program} ended with {process.ExitCode}: {await error}");
        }
        finally
        {
            if (!process.HasExited)
                process.Kill();
        }
        return output.ToArray();
    }
}
