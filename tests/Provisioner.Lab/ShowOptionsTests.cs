using Provisioner.Lab.Harness;
using Provisioner.Lab.Show;

namespace Provisioner.Lab;

public sealed class ShowOptionsTests
{
    [Fact]
    public void Without_options_one_UEFI_server_is_shown() =>
        Assert.Equal(new ShowOptions { Firmware = Firmware.UefiX64, Machines = 1, Keep = false }, ShowOptions.Parse([], out _));

    [Theory]
    [InlineData("uefi", nameof(Firmware.UefiX64))]
    [InlineData("secureboot", nameof(Firmware.SecureBoot))]
    [InlineData("arm64", nameof(Firmware.UefiArm64))]
    [InlineData("http", nameof(Firmware.HttpBoot))]
    [InlineData("bios", nameof(Firmware.Bios))]
    public void Every_firmware_has_its_word(string word, string firmware)
    {
        Assert.Equal(firmware, ShowOptions.Parse(["--firmware", word], out _)?.Firmware.ToString());
        Assert.Equal(firmware, ShowOptions.Parse([$"--firmware={word}"], out _)?.Firmware.ToString());
    }

    [Fact]
    public void Options_come_in_any_order() =>
        Assert.Equal(new ShowOptions { Firmware = Firmware.Bios, Machines = 3, Keep = true }, ShowOptions.Parse(["--keep", "--machines", "3", "--firmware=bios"], out _));

    [Theory]
    [InlineData("--firmware is one of uefi, secureboot, arm64, http, bios, not 'efi'.", "--firmware", "efi")]
    [InlineData("--firmware is one of uefi, secureboot, arm64, http, bios, not ''.", "--firmware")]
    [InlineData("--machines is a number from 1 to 8, not '0'.", "--machines", "0")]
    [InlineData("--machines is a number from 1 to 8, not '9'.", "--machines=9")]
    [InlineData("There is no option '--fast'; there are --firmware, --machines and --keep.", "--fast")]
    public void A_mistake_says_what_would_be_right(string expected, params string[] arguments)
    {
        Assert.Null(ShowOptions.Parse(arguments, out var mistake));
        Assert.Equal(expected, mistake);
    }
}
