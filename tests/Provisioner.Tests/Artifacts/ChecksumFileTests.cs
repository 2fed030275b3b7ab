using System.Diagnostics;
using System.Text;
using CsCheck;
using Provisioner.Artifacts;
using Provisioner.Tests.Appliance;

namespace Provisioner.Tests.Artifacts;

public sealed class ChecksumFileTests
{
    private const string A = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    private const string B = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";

    [Theory]
    [InlineData(A, A)]
    [InlineData(A + "\n", A)]
    [InlineData(A + "  kubelet\n", A)]
    [InlineData(A + " *kubelet\r\n", A)]
    [InlineData(A + "  ./_bin/amd64/kubelet\n", A)]
    [InlineData(B + "  kubectl\n" + A + "  kubelet\n", A)]
    [InlineData("E3B0C44298FC1C149AFBF4C8996FB92427AE41E4649B934CA495991B7852B855  kubelet", A)]
    public void Reads_a_bare_digest_and_what_sha256sum_writes(string text, string digest)
    {
        Assert.True(ChecksumFile.TryParse(Encoding.ASCII.GetBytes(text), "kubelet", out var read, out _));
        Assert.Equal(digest, read);
    }

    [Theory]
    [InlineData("", "no SHA-256 digest")]
    [InlineData("<html>404</html>", "no SHA-256 digest")]
    [InlineData("d41d8cd98f00b204e9800998ecf8427e  kubelet", "no SHA-256 digest")]
    [InlineData(A + "  kubectl\n", "none of 'kubelet'")]
    [InlineData(A + "\n" + B + "\n", "none of 'kubelet'")]
    public void Says_why_it_has_none(string text, string why)
    {
        Assert.False(ChecksumFile.TryParse(Encoding.ASCII.GetBytes(text), "kubelet", out _, out var reason));
        Assert.Contains(why, reason, StringComparison.Ordinal);
    }

    [Fact]
    public void Never_throws() => Gen.Byte.Array[0, 200].Sample(bytes => { _ = ChecksumFile.TryParse(bytes, "x", out _, out _); });

    [Fact]
    public async Task What_it_writes_satisfies_sha256sum()
    {
        using var directory = new TemporaryDirectory();
        await File.WriteAllTextAsync(directory["kubelet"], "");
        await File.WriteAllTextAsync(directory["sums"], ChecksumFile.Write(A, "kubelet"));

        using var sha256sum = Process.Start(new ProcessStartInfo("sha256sum", ["--check", "--strict", "sums"]) { WorkingDirectory = directory.Path, RedirectStandardOutput = true })!;
        var said = await sha256sum.StandardOutput.ReadToEndAsync();
        await sha256sum.WaitForExitAsync();

        Assert.Equal("kubelet: OK\n", said);
    }
}
