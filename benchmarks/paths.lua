-- For wrk: the addresses of a file one after the other, each once. See pages.py.
local paths, number = {}, 0

function init(args)
  for path in io.lines(args[1]) do
    paths[#paths + 1] = path
  end
end

function request()
  number = number % #paths + 1
  return wrk.format("GET", paths[number])
end
