package Scim::Client;

# An HTTP/1.1 client with one connection, kept until one side closes it.
#
#     my $r = $client->request(POST => '/scim/v2/Users', token => $token, json => { userName => 'ada' });
#     $r->{status}            0 if there is no answer; $r->{error} says why
#     $r->{headers}{etag}     names in lower case; values of repeated headers are joined by ', '
#     $r->{body}, $r->{json}  bytes, and the decoded JSON
#     $r->{continued}         true if 100 Continue was received
#
# Options of a request: json, body (bytes, or a list of chunks), chunked => bytes per chunk, headers (hash, or list of
# pairs), token, expect => 1 (the body is sent after 100 Continue), close => 1, version => '1.0'.

use strict;
use warnings;
use Errno qw(EAGAIN EWOULDBLOCK EINTR);
use IO::Select;
use IO::Socket::INET;
use JSON::PP ();
use Time::HiRes qw(time);

my $json = JSON::PP->new->utf8->canonical->allow_nonref;

# port; tls => 1 or options of IO::Socket::SSL; token => the default of requests; timeout => seconds (default 30);
# raw => 1: {json} stays undef (decoding takes one second per megabyte)
sub new {
    my ($class, %o) = @_;
    return bless { host => '127.0.0.1', timeout => 30, %o, buffer => '', pending => [] }, $class;
}

sub connect {
    my ($self) = @_;
    $self->close;
    my @to = (PeerAddr => $self->{host}, PeerPort => $self->{port}, Timeout => $self->{timeout});
    if (my $tls = $self->{tls}) {
        require IO::Socket::SSL;
        $self->{socket} = IO::Socket::SSL->new(@to, SSL_verify_mode => 0, ref $tls ? %$tls : ())
            or return $self->_fail("connect: $! " . IO::Socket::SSL::errstr());
    } else {
        $self->{socket} = IO::Socket::INET->new(@to) or return $self->_fail("connect: $!");
    }
    $self->{socket}->blocking(0);
    return 1;
}

sub close {
    my ($self) = @_;
    CORE::close(delete $self->{socket}) if $self->{socket};
    @$self{qw(buffer pending)} = ('', []);
    return;
}

sub _fail { my ($self, $error) = @_; $self->{error} = $error; return }

# Reads what has arrived into the buffer, waiting at most until the given time. Returns 0 at the end of the stream.
sub _fill {
    my ($self, $until) = @_;
    my $socket = $self->{socket} or return 0;
    while (1) {
        my $n = sysread $socket, $self->{buffer}, 65536, length $self->{buffer};
        return $n if defined $n;
        $! == EAGAIN || $! == EWOULDBLOCK || $! == EINTR or do { $self->_fail("read: $!"); return 0 };
        my $left = $until - time;
        $left > 0 or do { $self->_fail('timeout'); return 0 };
        IO::Select->new($socket)->can_read($left);
    }
}

# Sends bytes unchanged. Reads at the same time, as otherwise both sides could wait with full buffers. If the server closes
# early, its answer may be in the buffer: receive() returns it.
sub write {
    my ($self, $bytes) = @_;
    $self->{socket} or $self->connect or return;
    my ($socket, $until) = ($self->{socket}, time + $self->{timeout});
    my $select = IO::Select->new($socket);
    for (my $at = 0; $at < length $bytes;) {
        my $n = syswrite $socket, $bytes, 65536, $at;
        if (defined $n) { $at += $n; next }
        $! == EAGAIN || $! == EWOULDBLOCK || $! == EINTR or return $self->_fail("write: $!");
        my $left = $until - time;
        $left > 0 or return $self->_fail('timeout');
        my ($readable) = IO::Select->select($select, $select, undef, $left);
        if (@{ $readable || [] }) { $self->_fill(time) or return }
    }
    return 1;
}

# (head, body) of a request, as bytes
sub _render {
    my ($self, $method, $path, %o) = @_;
    my $version = $o{version} // '1.1';
    my @headers = ref $o{headers} eq 'ARRAY' ? @{ $o{headers} } : %{ $o{headers} // {} };
    my %given = map { lc $headers[ 2 * $_ ] => 1 } 0 .. @headers / 2 - 1;
    my $body = exists $o{json} ? $json->encode($o{json}) : $o{body};
    my $token = exists $o{token} ? $o{token} : $self->{token};
    my @all = ($given{host} ? () : (Host => $o{host} // 'localhost'));
    push @all, Connection => 'close' if $o{close} && !$given{connection};
    push @all, Authorization => "Bearer $token" if defined $token && !$given{authorization};
    if (defined $body) {
        push @all, 'Content-Type' => 'application/scim+json' if !$given{'content-type'};
        if ($o{chunked} || ref $body) {
            push @all, 'Transfer-Encoding' => 'chunked';
            my @chunks = ref $body ? @$body : unpack "(a$o{chunked})*", $body;
            $body = join('', map { sprintf "%x\r\n%s\r\n", length, $_ } grep length, @chunks) . "0\r\n\r\n";
        } elsif (!$given{'content-length'}) {
            push @all, 'Content-Length' => length $body;
        }
    } elsif ($method =~ /^(?:POST|PUT|PATCH)$/ && !$given{'content-length'}) {
        push @all, 'Content-Length' => 0;
    }
    push @all, Expect => '100-continue' if $o{expect};
    push @all, @headers;
    my $head = "$method $path HTTP/$version\r\n";
    while (my ($name, $value) = splice @all, 0, 2) { $head .= "$name: $value\r\n" }
    return ("$head\r\n", $body // '');
}

# Sends a request; receive() returns the answers in the order of the requests.
sub send {
    my ($self, $method, $path, %o) = @_;
    push @{ $self->{pending} }, $method if $self->{socket} || $self->connect;
    return $self->write(join '', $self->_render($method, $path, %o));
}

# The next response; its status is 0 if there is none.
sub receive {
    my ($self) = @_;
    my $method = shift @{ $self->{pending} } // '';
    my $until = time + $self->{timeout};
    my $r = { status => 0, headers => {}, body => '', json => undef, continued => 0 };
    do {
        while ($self->{buffer} !~ /\r\n\r\n/) { $self->_fill($until) or return $self->_broken($r) }
        $self->{buffer} =~ s/^(.*?)\r\n\r\n//s;
        @$r{qw(head headers)} = ($1, {});
        my ($first, @lines) = split /\r\n/, $r->{head};
        @$r{qw(status reason)} = $first =~ m{^HTTP/1\.[01] (\d\d\d)(?: (.*))?$} or return $self->_broken($r, "bad: $first");
        for (@lines) {
            my ($name, $value) = /^([^:\s]+):\s*(.*?)\s*$/ or return $self->_broken($r, "bad header: $_");
            my $h = \$r->{headers}{ lc $name };
            $$h = defined $$h ? "$$h, $value" : $value;
        }
        $r->{continued} ||= $r->{status} == 100 ? 1 : 0;
    } while ($r->{status} == 100 && $method ne 'EXPECT');
    return $r if $r->{status} == 100;

    $self->_body($r, $until) or return $self->_broken($r) if $method ne 'HEAD' && $r->{status} !~ /^(?:1..|204|304)$/;
    $self->close if lc($r->{headers}{connection} // '') eq 'close' && !@{ $self->{pending} };
    $r->{json} = eval { $json->decode($r->{body}) }
        if length $r->{body} && !$self->{raw} && ($r->{headers}{'content-type'} // '') =~ m{^application/(?:[\w.-]+\+)?json}i;
    return $r;
}

sub _take {
    my ($self, $size, $until) = @_;
    while (length $self->{buffer} < $size) { $self->_fill($until) or return }
    return substr $self->{buffer}, 0, $size, '';
}

sub _body {
    my ($self, $r, $until) = @_;
    if (lc($r->{headers}{'transfer-encoding'} // '') eq 'chunked') {
        while (1) {
            while ($self->{buffer} !~ /\r\n/) { $self->_fill($until) or return }
            $self->{buffer} =~ s/^([0-9a-fA-F]+)[^\r]*\r\n// or return $self->_fail('bad chunk');
            my $chunk = $self->_take(hex($1) + 2, $until) // return;
            $chunk =~ s/\r\n\z// or return $self->_fail('bad end of a chunk');
            return 1 if !length $chunk;    # nginx sends no trailers unless configured to
            $r->{body} .= $chunk;
        }
    }
    if (defined(my $size = $r->{headers}{'content-length'})) {
        $r->{body} = $self->_take($size, $until) // return;
        return 1;
    }
    $self->{error} = undef;
    1 while $self->_fill($until);
    return if $self->{error};
    $r->{body} = $self->{buffer};
    $self->close;
    return 1;
}

sub _broken {
    my ($self, $r, $error) = @_;
    my $why = $error // $self->{error} // 'closed';
    @$r{qw(partial status body error)} = ($r->{status}, 0, $self->{buffer}, $why);
    $self->close;
    $self->{error} = undef;
    return $r;
}

# Sends a request and receives its answer. A connection that the server has closed while idle is opened again.
sub request {
    my ($self, $method, $path, %o) = @_;
    $self->{error} = undef;
    if ($self->{socket} && !@{ $self->{pending} } && IO::Select->new($self->{socket})->can_read(0)) {
        $self->_fill(time) or $self->close;
        $self->{error} = undef;
    }
    if (!$o{expect}) {
        $self->send($method, $path, %o);
        return $self->receive;
    }
    my ($head, $body) = $self->_render($method, $path, %o);
    $self->write($head);
    push @{ $self->{pending} }, 'EXPECT';
    my $first = $self->receive;
    return $first if $first->{status} != 100;
    $self->write($body);
    push @{ $self->{pending} }, $method;
    my $r = $self->receive;
    $r->{continued} = 1;
    return $r;
}

# Sends all requests ([METHOD => path, options], …) at once, then receives their answers.
sub pipeline {
    my ($self, @requests) = @_;
    $self->connect or return $self->_broken({});
    push @{ $self->{pending} }, map $_->[0], @requests;
    $self->write(join '', map { join '', $self->_render(@$_) } @requests);
    return map $self->receive, @requests;
}

1;
