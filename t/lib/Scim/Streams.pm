package Scim::Streams;

# An application with long responses, and clients that keep them open.
#
#     my $app = Scim::Streams::application();                 # its port is in the configuration
#     $app->end_requests;                                     # closes the connections of all requests
#     my $s = Scim::Streams->open($port, GET => '/sse', ['X-Remote-User' => 'ada']);
#     $s->is_open;      # reads what has arrived
#
# The application answers by the path, whatever is before its last part:
#   ws        switches protocols, then sends back every byte
#   sse       sends an event at once, and another one every 50 ms, without end
#   big       sends bytes without end
#   hang      never answers
#   accel     answers X-Accel-Redirect: /files/big
#   abort     sends a part of its response and closes the connection
#   ok        answers "ok"
# It reads a request body only for "ok".

use strict;
use warnings;
use IO::Select;
use IO::Socket::INET;
use POSIX ();
use Time::HiRes qw(sleep);

sub application {
    my $listener = IO::Socket::INET->new(Listen => 128, LocalAddr => '127.0.0.1', ReuseAddr => 1) or die "no application: $!";
    local $SIG{USR1} = 'IGNORE';    # ends the processes of requests
    my $pid = fork // die "fork: $!";
    if (!$pid) {
        setpgrp 0, 0;
        $SIG{$_} = 'DEFAULT' for qw(TERM INT HUP);
        $SIG{CHLD} = 'IGNORE';
        while (1) {
            my $c = $listener->accept or next;
            my $child = fork // die "fork: $!";
            if (!$child) {
                $SIG{USR1} = 'DEFAULT';
                close $listener;
                eval { _answer($c) };
                POSIX::_exit(0);
            }
            close $c;
        }
    }
    return bless { pid => $pid, port => $listener->sockport, owner => $$ }, 'Scim::Streams::Application';
}

sub _answer {
    my ($c) = @_;
    my $head = '';
    while ($head !~ /\r\n\r\n/) { sysread $c, $head, 4096, length $head or return }
    my ($kind) = $head =~ m{\A\S+ \S*?(\w+)(?:\?\S*)? HTTP};
    my $chunked = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n";
    if ($kind eq 'ws') {
        syswrite $c, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n";
        while (sysread $c, my $bytes, 4096) { syswrite $c, $bytes }
    } elsif ($kind eq 'sse') {
        syswrite $c, "$chunked";
        while (syswrite $c, "data: 1\n\n") { sleep 0.05 }
    } elsif ($kind eq 'big') {
        syswrite $c, $chunked;
        my $block = 'x' x 16384;
        while (syswrite $c, $block) { }
    } elsif ($kind eq 'hang') {
        sysread $c, my $byte, 1;
    } elsif ($kind eq 'accel') {
        syswrite $c, "HTTP/1.1 200 OK\r\nX-Accel-Redirect: /files/big\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
    } elsif ($kind eq 'abort') {
        syswrite $c, "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\npart";
    } else {
        my ($length) = $head =~ /^content-length: (\d+)/im;
        my $left = ($length // 0) - length(($head =~ /\r\n\r\n(.*)\z/s)[0]);
        while ($left > 0 && sysread $c, my $bytes, 65536) { $left -= length $bytes }
        syswrite $c, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok";
    }
    return;
}

# Sends a request; `body` is sent after the header, `length` is its announced length.
sub open {
    my ($class, $port, $method, $path, $headers, %o) = @_;
    my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port) or die "connect: $!";
    my @lines = ("$method $path HTTP/1.1", 'Host: localhost');
    push @lines, 'Connection: Upgrade', 'Upgrade: websocket' if $path =~ /ws$/;
    push @lines, "Content-Length: $o{length}" if $o{length};
    for (my $i = 0; $i < @$headers; $i += 2) { push @lines, "$headers->[$i]: $headers->[$i + 1]" }
    my $self = bless { socket => $socket, path => $path, bytes => '', closed => 0 }, $class;
    $self->say(join "\r\n", @lines, '', $o{body} // '');
    return $self;
}

sub say {
    my ($self, $bytes) = @_;
    syswrite $self->{socket}, $bytes;
    return $self;
}

# Reads what has arrived, at most 4 MiB; keeps the last 4 KiB. False if nginx has closed the connection.
sub is_open {
    my ($self) = @_;
    return 0 if $self->{closed};
    for (1 .. 64) {    # a stream may have no end
        last if !IO::Select->new($self->{socket})->can_read(0);
        my $got = sysread $self->{socket}, my $bytes, 65536;
        if (!$got) { $self->{closed} = 1; return 0 }
        $self->{head} //= substr $bytes, 0, 1000;
        $self->{bytes} = substr $self->{bytes} . $bytes, -4096;
    }
    return 1;
}

sub status { my ($self) = @_; $self->is_open; return ($self->{head} // '') =~ m{\AHTTP/1.1 (\d+)} ? $1 : 0 }
# Sends a text over a WebSocket; true if it comes back.
sub echoes {
    my ($self, $t, $text) = @_;
    $self->say($text);
    return $t->wait_for(sub { !$self->is_open || $self->{bytes} =~ /\Q$text\E\z/ }) && !$self->{closed};
}
sub close { my ($self) = @_; CORE::close($self->{socket}); return }

package Scim::Streams::Application;

sub end_requests { my ($self) = @_; kill USR1 => -$self->{pid}; return }

sub DESTROY {
    my ($self) = @_;
    return if $self->{owner} != $$;
    local ($?, $!);
    kill TERM => -$self->{pid};
    waitpid $self->{pid}, 0;
    return;
}

1;
