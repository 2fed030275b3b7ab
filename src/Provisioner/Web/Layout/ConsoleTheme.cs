using MudBlazor;

namespace Provisioner.Web.Layout;

/// <summary>Colours and letters of the console. Each pair of text and ground has a contrast of 4.5 or better (WCAG 2.1, 1.4.3).</summary>
internal static class ConsoleTheme
{
    public static MudTheme Create()
    {
        var theme = new MudTheme
        {
            PaletteLight = new PaletteLight
            {
                Primary = "#0b57a4", Secondary = "#5b4a9e", Background = "#f6f7f9", Surface = "#ffffff", AppbarBackground = "#ffffff", AppbarText = "#1b1f24",
                DrawerBackground = "#ffffff", DrawerText = "#1b1f24", DrawerIcon = "#3d4650", TextPrimary = "#1b1f24", TextSecondary = "#4a535d", ActionDefault = "#3d4650",
                Error = "#b3261e", Warning = "#8a5300", Success = "#1d6b34", Info = "#0b57a4", LinesDefault = "#dde1e6",
            },
            PaletteDark = new PaletteDark
            {
                Primary = "#8ec2ff", Secondary = "#c4b5fd", Background = "#14171b", Surface = "#1c2026", AppbarBackground = "#1c2026", AppbarText = "#e8eaed",
                DrawerBackground = "#1c2026", DrawerText = "#e8eaed", DrawerIcon = "#b9c0c8", TextPrimary = "#e8eaed", TextSecondary = "#b9c0c8", ActionDefault = "#b9c0c8",
                Error = "#ff9c94", Warning = "#f5b94d", Success = "#7fd99a", Info = "#8ec2ff", LinesDefault = "#343a42", PrimaryContrastText = "#10151b",
                ErrorContrastText = "#10151b", WarningContrastText = "#10151b", SuccessContrastText = "#10151b", InfoContrastText = "#10151b",
            },
            LayoutProperties = new LayoutProperties { DrawerWidthLeft = "200px", DefaultBorderRadius = "6px", AppbarHeight = "48px" },
        };
        // What the system has: the console reads no font from anywhere.
        theme.Typography.Default.FontFamily = ["system-ui", "-apple-system", "Segoe UI", "Roboto", "DejaVu Sans", "sans-serif"];
        theme.Typography.Button.TextTransform = "none";
        return theme;
    }
}
