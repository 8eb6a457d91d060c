"""The convolutional networks of examples/ in PyTorch."""
import torch
from torch import nn
from torch.nn import functional as F


class MnistNet(nn.Module):
    """https://github.com/pytorch/examples, mnist, as it was up to 2019."""

    def __init__(self):
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(1, 10, 5), nn.Conv2d(10, 20, 5)
        self.fc1, self.fc2 = nn.Linear(320, 50), nn.Linear(50, 10)

    def forward(self, image):
        x = F.relu(F.max_pool2d(self.conv1(image), 2))
        x = F.relu(F.max_pool2d(self.conv2(x), 2)).flatten(1)
        return {"log_probabilities": F.log_softmax(self.fc2(F.relu(self.fc1(x))), -1)}


class TutorialNet(nn.Module):
    """https://pytorch.org/tutorials/beginner/blitz/cifar10_tutorial.html"""

    def __init__(self):
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(3, 6, 5), nn.Conv2d(6, 16, 5)
        self.fc1, self.fc2, self.fc3 = nn.Linear(400, 120), nn.Linear(120, 84), nn.Linear(84, 10)

    def forward(self, image):
        x = F.max_pool2d(F.relu(self.conv1(image)), 2)
        x = F.max_pool2d(F.relu(self.conv2(x)), 2).flatten(1)
        return {"logits": self.fc3(F.relu(self.fc2(F.relu(self.fc1(x)))))}


class ConvNet(nn.Module):
    def __init__(self, size, kernel, hidden, padding=None):
        super().__init__()
        padding = kernel // 2 if padding is None else padding
        self.conv1 = nn.Conv2d(3, 32, kernel, padding=padding)
        self.conv2 = nn.Conv2d(32, 64, kernel, padding=padding)
        for _ in range(2):
            size = (size + 2 * padding - kernel + 1) // 2
        self.fc1, self.fc2 = nn.Linear(64 * size**2, hidden), nn.Linear(hidden, 10)

    def forward(self, image):
        x = F.max_pool2d(F.relu(self.conv1(image)), 2)
        x = F.max_pool2d(F.relu(self.conv2(x)), 2).flatten(1)
        return {"logits": self.fc2(F.relu(self.fc1(x)))}


class MobileNetV2(nn.Module):
    def __init__(self):
        super().__init__()
        from torchvision.models import mobilenet_v2

        model = mobilenet_v2()
        self.features, self.classifier = model.features, model.classifier

    def forward(self, image):
        return {"logits": self.classifier(self.features(image).mean((2, 3)))}


class DoubleConv(nn.Module):
    def __init__(self, c_in, c_out):
        super().__init__()
        layers = []
        for channels in (c_in, c_out):
            layers += [nn.Conv2d(channels, c_out, 3, padding=1, bias=False), nn.BatchNorm2d(c_out), nn.ReLU()]
        self.double_conv = nn.Sequential(*layers)

    def forward(self, x):
        return self.double_conv(x)


class Down(nn.Module):
    def __init__(self, c_in, c_out):
        super().__init__()
        self.maxpool_conv = nn.Sequential(nn.MaxPool2d(2), DoubleConv(c_in, c_out))

    def forward(self, x):
        return self.maxpool_conv(x)


class Up(nn.Module):
    def __init__(self, c_in, c_out):
        super().__init__()
        self.up, self.conv = nn.ConvTranspose2d(c_in, c_in // 2, 2, 2), DoubleConv(c_in, c_out)

    def forward(self, x, skip):
        return self.conv(torch.cat([skip, self.up(x)], 1))


class UNet(nn.Module):
    """The keys of https://github.com/milesial/Pytorch-UNet."""

    def __init__(self, width):
        super().__init__()
        self.inc, self.outc = DoubleConv(3, width), nn.Module()
        self.outc.conv = nn.Conv2d(width, 2, 1)
        for i in range(1, 5):
            setattr(self, f"down{i}", Down(width << (i - 1), width << i))
            setattr(self, f"up{i}", Up(width << (5 - i), width << (4 - i)))

    def forward(self, image):
        skips = [self.inc(image)]
        for i in range(1, 5):
            skips.append(getattr(self, f"down{i}")(skips[-1]))
        x = skips.pop()
        for i in range(1, 5):
            x = getattr(self, f"up{i}")(x, skips.pop())
        return {"logits": self.outc.conv(x)}


CASES = {
    # name: (module, source and options, inputs)
    "mnist": (MnistNet, ["mnist.nn"], {"image": {"shape": [3, 1, 28, 28]}}),
    "tutorialnet": (TutorialNet, ["cifar.nn", "--model", "TutorialNet"], {"image": {"shape": [2, 3, 32, 32]}}),
    "convnet32": (lambda: ConvNet(32, 3, 128), ["cifar.nn", "--model", "ConvNet32"], {"image": {"shape": [2, 3, 32, 32]}}),
    "convnet64": (lambda: ConvNet(64, 3, 128), ["cifar.nn", "--model", "ConvNet64"], {"image": {"shape": [1, 3, 64, 64]}}),
    "unpadded": (lambda: ConvNet(32, 3, 128, 0), ["cifar.nn", "--model", "ConvNet32", "--set", "padding=0"],
                 {"image": {"shape": [1, 3, 32, 32]}}),
    "deepnet": (lambda: ConvNet(32, 5, 1024), ["cifar.nn", "--model", "DeepNet"], {"image": {"shape": [2, 3, 32, 32]}}),
    "mobilenetv2": (MobileNetV2, ["mobilenetv2.nn"], {"image": {"shape": [1, 3, 64, 48]}}),
    "unet": (lambda: UNet(8), ["unet.nn", "--set", "width=8"], {"image": {"shape": [1, 3, 48, 32]}}),
}
